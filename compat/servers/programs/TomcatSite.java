// Tomcat: TomcatSite PORT_FILE CLEAR_PORT_FILE KEY CERTIFICATE

import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.util.Collections;
import java.util.Map;
import org.apache.catalina.Context;
import org.apache.catalina.connector.Connector;
import org.apache.catalina.startup.Tomcat;
import org.apache.coyote.http2.Http2Protocol;
import org.apache.tomcat.util.net.SSLHostConfig;
import org.apache.tomcat.util.net.SSLHostConfigCertificate;

public class TomcatSite extends HttpServlet {
    @Override
    protected void service(HttpServletRequest request, HttpServletResponse response) throws IOException {
        try {
            String path = request.getRequestURI();
            Site.Answer answer = Site.answer(path, Collections.list(request.getHeaderNames()), request.getInputStream());
            response.setStatus(answer.status());
            response.setContentType("text/plain");
            response.setContentLength(answer.body().length);
            if (path.equals("/trailers")) {
                response.setTrailerFields(() -> Map.of("checksum", "abc"));
            }
            response.getOutputStream().write(answer.body());
        } catch (Exception error) {
            throw new IOException(error);
        }
    }

    public static void main(String[] arguments) throws Exception {
        Tomcat tomcat = new Tomcat();
        tomcat.setBaseDir(System.getProperty("java.io.tmpdir"));
        Context context = tomcat.addContext("", null);
        Tomcat.addServlet(context, "site", new TomcatSite());
        context.addServletMappingDecoded("/*", "site");
        Connector secure = connector(tomcat);
        secure.setProperty("SSLEnabled", "true");
        secure.setScheme("https");
        secure.setSecure(true);
        SSLHostConfig host = new SSLHostConfig();
        SSLHostConfigCertificate pair = new SSLHostConfigCertificate(host, SSLHostConfigCertificate.Type.EC);
        pair.setCertificateKeyFile(arguments[2]);
        pair.setCertificateFile(arguments[3]);
        host.addCertificate(pair);
        secure.addSslHostConfig(host);
        Connector clear = connector(tomcat);
        tomcat.start();
        Site.report(arguments[0], secure.getLocalPort());
        Site.report(arguments[1], clear.getLocalPort());
        tomcat.getServer().await();
    }

    private static Connector connector(Tomcat tomcat) {
        Connector connector = new Connector("org.apache.coyote.http11.Http11NioProtocol");
        connector.setPort(0);
        connector.setProperty("address", "127.0.0.1");
        connector.setProperty("compression", "30000");
        connector.setProperty("compressibleMimeType", "text/plain");
        connector.addUpgradeProtocol(new Http2Protocol());
        tomcat.getService().addConnector(connector);
        return connector;
    }
}

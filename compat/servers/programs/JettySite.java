// Jetty: JettySite PORT_FILE CLEAR_PORT_FILE KEY CERTIFICATE; it takes the keystore that the property site.keys names

import java.io.IOException;
import java.util.Collections;
import javax.servlet.http.HttpServletRequest;
import javax.servlet.http.HttpServletResponse;
import org.eclipse.jetty.alpn.server.ALPNServerConnectionFactory;
import org.eclipse.jetty.http.HttpFields;
import org.eclipse.jetty.http2.server.HTTP2CServerConnectionFactory;
import org.eclipse.jetty.http2.server.HTTP2ServerConnectionFactory;
import org.eclipse.jetty.server.HttpConfiguration;
import org.eclipse.jetty.server.HttpConnectionFactory;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.SecureRequestCustomizer;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.server.SslConnectionFactory;
import org.eclipse.jetty.server.handler.AbstractHandler;
import org.eclipse.jetty.util.ssl.SslContextFactory;

public class JettySite extends AbstractHandler {
    @Override
    public void handle(String path, Request request, HttpServletRequest asked, HttpServletResponse response) throws IOException {
        try {
            Site.Answer answer = Site.answer(path, Collections.list(asked.getHeaderNames()), asked.getInputStream());
            response.setStatus(answer.status());
            response.setContentLength(answer.body().length);
            if (path.equals("/trailers")) {
                HttpFields trailers = new HttpFields();
                trailers.put("checksum", "abc");
                request.getResponse().setTrailers(() -> trailers);
            }
            if (!asked.getMethod().equals("HEAD")) {
                response.getOutputStream().write(answer.body());
            }
            request.setHandled(true);
        } catch (Exception error) {
            throw new IOException(error);
        }
    }

    public static void main(String[] arguments) throws Exception {
        Server server = new Server();
        server.setHandler(new JettySite());
        HttpConfiguration configuration = new HttpConfiguration();
        configuration.setRequestHeaderSize(65536); // by default 8 KiB, for all fields
        configuration.addCustomizer(new SecureRequestCustomizer());
        SslContextFactory.Server tls = new SslContextFactory.Server();
        tls.setKeyStorePath(System.getProperty("site.keys"));
        tls.setKeyStorePassword("secret");
        ALPNServerConnectionFactory alpn = new ALPNServerConnectionFactory("h2", "http/1.1");
        alpn.setDefaultProtocol("http/1.1");
        ServerConnector secure = new ServerConnector(server, new SslConnectionFactory(tls, "alpn"), alpn,
                new HTTP2ServerConnectionFactory(configuration), new HttpConnectionFactory(configuration));
        HttpConfiguration plain = new HttpConfiguration();
        ServerConnector clear = new ServerConnector(server, new HttpConnectionFactory(plain), new HTTP2CServerConnectionFactory(plain));
        for (ServerConnector connector : new ServerConnector[] {secure, clear}) {
            connector.setHost("127.0.0.1");
            server.addConnector(connector);
        }
        server.start();
        Site.report(arguments[0], secure.getLocalPort());
        Site.report(arguments[1], clear.getLocalPort());
        server.join();
    }
}

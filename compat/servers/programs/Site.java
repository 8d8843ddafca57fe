// What Java's servers answer, whichever they are; the files are in the directory SITE_ROOT.

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.List;

final class Site {
    record Answer(int status, byte[] body) {
    }

    static Answer answer(String path, Iterable<String> fields, InputStream body) throws Exception {
        if (List.of("/small", "/large", "/text").contains(path)) {
            return new Answer(200, Files.readAllBytes(Path.of(System.getenv("SITE_ROOT") + path)));
        }
        if (path.equals("/fields")) {
            int count = 0;
            for (String name : fields) {
                count += name.toLowerCase().startsWith("x-many-") ? 1 : 0;
            }
            return new Answer(200, ("{\"count\": " + count + "}").getBytes());
        }
        if (path.equals("/echo")) {
            DigestInputStream digest = new DigestInputStream(body, MessageDigest.getInstance("SHA-256"));
            long length = digest.transferTo(java.io.OutputStream.nullOutputStream());
            String hash = HexFormat.of().formatHex(digest.getMessageDigest().digest());
            return new Answer(200, ("{\"length\": " + length + ", \"sha256\": \"" + hash + "\"}").getBytes());
        }
        return path.equals("/trailers") ? new Answer(200, "body".getBytes()) : new Answer(path.equals("/refuse") ? 413 : 404, new byte[0]);
    }

    static void report(String file, int port) throws IOException {
        Files.writeString(Path.of(file + ".new"), Integer.toString(port));
        Files.move(Path.of(file + ".new"), Path.of(file), StandardCopyOption.ATOMIC_MOVE);
    }
}

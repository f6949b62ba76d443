// java Ticket.java portal.key GATEWAY PORTAL USER RECORDING      (Java 17 or newer, no packages needed)
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.Signature;
import java.security.spec.PKCS8EncodedKeySpec;
import java.time.Instant;
import java.util.Base64;
import java.util.UUID;

class Ticket {
    static String part(byte[] bytes) {
        return Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
    }

    static String quoted(String text) { // a portal has a JSON library, which does this
        return '"' + text.replace("\\", "\\\\").replace("\"", "\\\"") + '"';
    }

    public static void main(String[] arguments) throws Exception {
        String gateway = arguments[1], portal = arguments[2], user = arguments[3], recording = arguments[4];
        long now = Instant.now().getEpochSecond();
        String claims = """
            {"iss":%s,"aud":%s,"sub":%s,"iat":%d,"exp":%d,"jti":"%s","groups":["supervisors"],"recording":%s}"""
            .formatted(quoted(portal), quoted(gateway), quoted(user), now, now + 60, UUID.randomUUID(), quoted(recording));
        String signed = part("{\"alg\":\"EdDSA\",\"typ\":\"JWT\"}".getBytes("UTF-8")) + "." + part(claims.getBytes("UTF-8"));
        String pem = Files.readString(Path.of(arguments[0])).replaceAll("-----[^-]+-----|\\s", "");
        Signature signature = Signature.getInstance("Ed25519");
        signature.initSign(KeyFactory.getInstance("Ed25519").generatePrivate(new PKCS8EncodedKeySpec(Base64.getDecoder().decode(pem))));
        signature.update(signed.getBytes("UTF-8"));
        System.out.println(gateway + "/recordings/" + recording + "?ticket=" + signed + "." + part(signature.sign()));
    }
}

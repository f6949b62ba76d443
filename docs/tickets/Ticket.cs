// dotnet: ES256, because .NET has no Ed25519 of its own; the provider then says algorithms = ["ES256"]
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

string keyFile = args[0], gateway = args[1], portal = args[2], user = args[3], recording = args[4];
string Part(byte[] bytes) => Convert.ToBase64String(bytes).TrimEnd('=').Replace('+', '-').Replace('/', '_');
long now = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
var claims = new { iss = portal, aud = gateway, sub = user, iat = now, exp = now + 60, jti = Guid.NewGuid().ToString(),
    groups = new[] { "supervisors" }, recording };
using var key = ECDsa.Create();
key.ImportFromPem(File.ReadAllText(keyFile));
var signed = Part("""{"alg":"ES256","typ":"JWT"}"""u8.ToArray()) + "." + Part(JsonSerializer.SerializeToUtf8Bytes(claims));
var signature = Part(key.SignData(Encoding.ASCII.GetBytes(signed), HashAlgorithmName.SHA256));
Console.WriteLine($"{gateway}/recordings/{recording}?ticket={signed}.{signature}");

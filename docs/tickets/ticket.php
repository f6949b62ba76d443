<?php // php ticket.php portal.key GATEWAY PORTAL USER RECORDING      (needs the sodium extension)
[, $keyFile, $gateway, $portal, $user, $recording] = $argv;
$part = fn(string $bytes) => rtrim(strtr(base64_encode($bytes), '+/', '-_'), '=');
$now = time();
$claims = ['iss' => $portal, 'aud' => $gateway, 'sub' => $user, 'iat' => $now, 'exp' => $now + 60,
    'jti' => bin2hex(random_bytes(16)), 'groups' => ['supervisors'], 'recording' => $recording];
$signed = $part('{"alg":"EdDSA","typ":"JWT"}') . '.' . $part(json_encode($claims, JSON_UNESCAPED_SLASHES));
$pem = preg_replace('/-----[^-]+-----|\s/', '', file_get_contents($keyFile));
$pair = sodium_crypto_sign_seed_keypair(substr(base64_decode($pem), -32));
$signature = $part(sodium_crypto_sign_detached($signed, sodium_crypto_sign_secretkey($pair)));
echo "$gateway/recordings/$recording?ticket=$signed.$signature\n";

# ruby ticket.rb portal.key GATEWAY PORTAL USER RECORDING      (no gems needed)
require "json"
require "openssl"
require "securerandom"

key_file, gateway, portal, user, recording = ARGV
part = ->(bytes) { [bytes].pack("m0").tr("+/", "-_").delete("=") }
now = Time.now.to_i
claims = { iss: portal, aud: gateway, sub: user, iat: now, exp: now + 60, jti: SecureRandom.uuid,
           groups: ["supervisors"], recording: recording }
signed = "#{part.(JSON.generate(alg: 'EdDSA', typ: 'JWT'))}.#{part.(JSON.generate(claims))}"
signature = part.(OpenSSL::PKey.read(File.read(key_file)).sign(nil, signed))
puts "#{gateway}/recordings/#{recording}?ticket=#{signed}.#{signature}"

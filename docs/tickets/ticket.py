# pip install pyjwt[crypto]      python ticket.py portal.key GATEWAY PORTAL USER RECORDING
import sys
import time
import uuid
from pathlib import Path

import jwt

key_file, gateway, portal, user, recording = sys.argv[1:]
now = int(time.time())
claims = {"iss": portal, "aud": gateway, "sub": user, "iat": now, "exp": now + 60, "jti": str(uuid.uuid4())}
claims |= {"groups": ["supervisors"], "recording": recording}
ticket = jwt.encode(claims, Path(key_file).read_text(), "EdDSA")
print(f"{gateway}/recordings/{recording}?ticket={ticket}")

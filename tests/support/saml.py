"""Runs a SAML identity provider, samlp from npm, in its own process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme

from tests.support.node import node_provider

PRINCIPAL, MEMBER = "urn:oid:1.3.6.1.4.1.5923.1.1.1.6", "urn:oid:1.3.6.1.4.1.5923.1.5.1.1"
"""eduPersonPrincipalName and isMemberOf, as providers of universities name them."""

_METADATA = """\
<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="{url}">
  <IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
    <Extensions><Scope xmlns="urn:mace:shibboleth:metadata:1.0" regexp="false">example.edu</Scope></Extensions>
    <KeyDescriptor use="signing">
      <KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#">
        <X509Data><X509Certificate>{certificate}</X509Certificate></X509Data>
      </KeyInfo>
    </KeyDescriptor>
    <SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="{url}"/>
  </IDPSSODescriptor>
</EntityDescriptor>
"""


@dataclass(frozen=True, slots=True)
class SamlProvider:
    """*url* is its address and its entity id; *metadata* is the file that a service provider reads."""

    url: str
    metadata: Path


@asynccontextmanager
async def saml_provider(folder: Path, port: int) -> AsyncIterator[SamlProvider]:
    """Runs the provider on *port*, with a key of its own in *folder*."""
    issued = trustme.CA(key_type=trustme.KeyType.RSA).issue_cert("sso.example.edu", key_type=trustme.KeyType.RSA)
    key, certificate, metadata = folder / "idp.key", folder / "idp.crt", folder / "idp.xml"
    key.write_bytes(issued.private_key_pem.bytes())
    certificate.write_bytes(issued.cert_chain_pems[0].bytes())
    url = f"http://sso.example.edu:{port}/"
    metadata.write_text(_METADATA.format(url=url, certificate="".join(certificate.read_text().splitlines()[1:-1])))
    async with node_provider("saml-provider.mjs", str(port), url, str(key), str(certificate)):
        yield SamlProvider(url, metadata)

"""Writes the configuration of shibd. What Debian's package configures, such as the policies, is used as it is."""

import re
from pathlib import Path

from tests.support.fronts import HOST
from tests.support.saml import SamlProvider

_CONFIG = """\
<SPConfig xmlns="urn:mace:shibboleth:3.0:native:sp:config" clockSkew="180">
  <OutOfProcess logger="{folder}/shibd.logger"/>
  <InProcess logger="{folder}/native.logger"/>
  <UnixListener address="{folder}/shibd.sock"/>
  <ApplicationDefaults entityID="https://{host}/shibboleth" REMOTE_USER="eppn subject-id pairwise-id persistent-id">
    <Sessions lifetime="28800" timeout="3600" relayState="ss:mem" checkAddress="false" handlerSSL="true"
              cookieProps="https" redirectLimit="exact">
      <SSO entityID="{provider}">SAML2</SSO>
      <Logout>Local</Logout>
    </Sessions>
    <MetadataProvider type="XML" path="{metadata}"/>
    <AttributeExtractor type="XML" path="{folder}/attribute-map.xml"/>
    <AttributeFilter type="XML" path="/etc/shibboleth/attribute-policy.xml"/>
  </ApplicationDefaults>
  <SecurityPolicyProvider type="XML" path="/etc/shibboleth/security-policy.xml"/>
  <ProtocolProvider type="XML" path="/etc/shibboleth/protocols.xml"/>
</SPConfig>
"""
_MAP = """\
<Attributes xmlns="urn:mace:shibboleth:2.0:attribute-map" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <Attribute name="urn:oid:1.3.6.1.4.1.5923.1.1.1.6" id="eppn">
    <AttributeDecoder xsi:type="ScopedAttributeDecoder" caseSensitive="false"/>
  </Attribute>
  {lines}
</Attributes>
"""
_LOGGER = """\
log4j.rootCategory=INFO, file
log4j.appender.file=org.apache.log4j.FileAppender
log4j.appender.file.fileName={file}
log4j.appender.file.layout=org.apache.log4j.BasicLayout
"""


def write_shibboleth(folder: Path, provider: SamlProvider, recipe: str) -> Path:
    """Writes the files of shibd and of mod_shib, and returns the main one. The comments of the *recipe* have the lines
    that a site adds to the attribute map of Debian's package."""
    lines = re.findall(r"^# +(<Attribute .*/>)$", recipe, re.MULTILINE)
    assert lines
    (folder / "attribute-map.xml").write_text(_MAP.format(lines="\n  ".join(lines)))
    for name in ("shibd", "native"):
        log = folder / f"{name}.log"
        log.touch()
        log.chmod(0o666)
        (folder / f"{name}.logger").write_text(_LOGGER.format(file=log))
    config = folder / "shibboleth2.xml"
    values = {"folder": folder, "host": HOST, "provider": provider.url, "metadata": provider.metadata}
    config.write_text(_CONFIG.format(**values))
    return config

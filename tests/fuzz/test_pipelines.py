"""The short form of the fuzzer: a few hundred random pipelines, plain and over TLS."""

from pathlib import Path

import pytest
import trustme

from tests.fuzz.pipelines import Pipelines
from tests.support.gateway_fixture import running_stack
from tests.support.generated import sequences
from tests.support.tls import CERTIFIED, client_context, write_certificate


@pytest.mark.promise("security-S11")
@pytest.mark.parametrize("encrypted", [False, True], ids=["http", "https"])
async def test_each_response_of_a_random_pipeline_belongs_to_its_request(tmp_path: Path, encrypted: bool) -> None:
    authority = trustme.CA()
    write_certificate(tmp_path, authority)
    async with running_stack(tmp_path, server=CERTIFIED if encrypted else "") as stack:
        pipelines = Pipelines(stack, 16, client_context(authority) if encrypted else None)
        figures = await pipelines.run(sequences(250))
    assert figures.wrong == []
    assert figures.responses > figures.pipelines

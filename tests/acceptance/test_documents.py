"""What a page shows as a whole test is one."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from postroad_stack import Stack
from tests.architecture.operators_docs import blocks, pages


@pytest.mark.prove
async def test_the_test_that_the_page_on_testing_shows_passes(stack: Stack, tmp_path: Path) -> None:
    (example,) = blocks(pages()["testing"], "python")
    (tmp_path / "test_welcome.py").write_text(example)

    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "asyncio_mode=auto", "test_welcome.py"),
        cwd=tmp_path,
        env={**os.environ, **stack.environment()},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()

    assert process.returncode == 0, output.decode()
    assert b"1 passed" in output

"""OpenAI's own client of a teacher simulator that runs for it."""
import contextlib
import subprocess

import openai
from conftest import binary, eventually, plain_environment
from hostile_teacher import free_port


@contextlib.contextmanager
def simulator_client(**settings: str):
    """Starts a simulator with settings beside its address, and ends it in order."""
    port = free_port()
    environment = {"ERRATA_HTTP_PORT": str(port), "ERRATA_LOG_LEVEL": "error", **settings}
    process = subprocess.Popen([binary("teacher-simulator")], env=plain_environment() | environment)
    client = openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="none", max_retries=0)

    def listens():
        try:
            return client.models.list().data
        except openai.APIConnectionError:
            return None

    eventually(listens, what="the simulator listens")
    yield client
    process.terminate()
    assert process.wait(30) == 0

"""The real engine child on a machine that cannot run some settings; run as a module by the tests."""

import os
import signal
import sys
import time

from assistant.engine.service import Service
from assistant.worker import serial, serve

MODE = sys.argv[1]


class Crashing(Service):
    """Dies while loading unless the settings are safe, as llama.cpp does on CPUs with broken AMX."""

    def load(self, call):
        if MODE == "amx" and call.payload["use_extra_bufts"]:
            os.kill(os.getpid(), signal.SIGSEGV)
        if MODE == "gpu" and call.payload["gpu_layers"]:
            os.kill(os.getpid(), signal.SIGSEGV)
        if MODE == "slow":
            time.sleep(1.5)
        if MODE == "leaky" and call.payload["use_extra_bufts"]:
            import llama_cpp

            real = llama_cpp.llama_init_from_model
            llama_cpp.llama_init_from_model = lambda *_: None
            try:
                yield from super().load(call)
            finally:
                llama_cpp.llama_init_from_model = real
        if MODE == "always":
            os.kill(os.getpid(), signal.SIGSEGV)
        yield from super().load(call)

    def gpu(self, call):
        yield MODE == "gpu"


if __name__ == "__main__":
    service = Crashing()
    serve(serial({"gpu": service.gpu, "load": service.load, "generate": service.generate}))

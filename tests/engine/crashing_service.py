"""The real engine child on a machine that cannot run some settings; run as a module by the tests."""

import os
import signal
import sys
import time
from pathlib import Path

from assistant.engine.devices import Device
from assistant.engine.service import Service
from assistant.worker import serve

MODE = sys.argv[1]


class Crashing(Service):
    """Dies while loading unless the settings are safe, as llama.cpp does on CPUs with broken AMX."""

    def load(self, call):
        model = call.payload["model"]
        if MODE == "amx" and model["use_extra_bufts"]:
            os.kill(os.getpid(), signal.SIGSEGV)
        if MODE == "gpu" and model["gpu_layers"]:
            os.kill(os.getpid(), signal.SIGSEGV)
        if MODE == "slow":
            time.sleep(1.5)
        if MODE == "leaky" and model["use_extra_bufts"]:
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

    def draft(self, call):
        if MODE == "draft":
            os.kill(os.getpid(), signal.SIGSEGV)
        yield from super().draft(call)

    def _submit(self, call):
        mode, _, marker = MODE.partition(":")
        if mode == "once" and not Path(marker).exists():
            Path(marker).touch()
            os.kill(os.getpid(), signal.SIGSEGV)
        if mode == "asked":
            os.kill(os.getpid(), signal.SIGSEGV)
        super()._submit(call)

    def list_devices(self):
        gpu = Device("CUDA0", "A GPU that is not there", "gpu", 8 << 30, 8 << 30)
        return (gpu, *super().list_devices()) if MODE == "gpu" else super().list_devices()


if __name__ == "__main__":
    service = Crashing()
    serve(service.run, service.report)

"""Splits a virtual screen in two, as `xrandr --setmonitor` does. Run as a program: DISPLAY says which."""

import ctypes

x11, xrandr = ctypes.CDLL("libX11.so.6"), ctypes.CDLL("libXrandr.so.2")


class Monitor(ctypes.Structure):
    """XRRMonitorInfo of Xrandr.h."""

    _fields_ = (
        ("name", ctypes.c_ulong), ("primary", ctypes.c_int), ("automatic", ctypes.c_int),
        ("noutput", ctypes.c_int), ("x", ctypes.c_int), ("y", ctypes.c_int),
        ("width", ctypes.c_int), ("height", ctypes.c_int), ("mwidth", ctypes.c_int),
        ("mheight", ctypes.c_int), ("outputs", ctypes.POINTER(ctypes.c_ulong)),
    )  # fmt: skip


for function in (x11.XOpenDisplay, xrandr.XRRGetMonitors, x11.XDefaultRootWindow, x11.XInternAtom):
    function.restype = ctypes.c_void_p if function is x11.XOpenDisplay else ctypes.c_ulong
xrandr.XRRGetMonitors.restype = ctypes.POINTER(Monitor)
display = ctypes.c_void_p(x11.XOpenDisplay(None))
root = ctypes.c_ulong(x11.XDefaultRootWindow(display))
count = ctypes.c_int()
whole = xrandr.XRRGetMonitors(display, root, 1, ctypes.byref(count))[0]
half = whole.width // 2
for name, x, outputs in ((b"left", 0, 1), (b"right", half, 0)):
    atom = x11.XInternAtom(display, name, 0)
    one = Monitor(atom, 0, 0, outputs, x, 0, half, whole.height, 100, 100, whole.outputs)
    xrandr.XRRSetMonitor(display, root, ctypes.byref(one))
x11.XSync(display, 0)
xrandr.XRRGetMonitors(display, root, 1, ctypes.byref(count))
print(count.value)

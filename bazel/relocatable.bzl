"""How programs are linked that find their libraries in ../lib, wherever they are unpacked."""

# DT_RPATH, unlike DT_RUNPATH, also counts for what the libraries themselves need.
RELOCATABLE = [
    "-Wl,-rpath,$$ORIGIN/../lib",
    "-Wl,--disable-new-dtags",
]

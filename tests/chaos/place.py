"""Where a cluster's processes live: an address each, in a network namespace of its own, and a disk that can be full,
where this user may make such things; loopback and a folder otherwise."""
import os
import socket
import subprocess

PORT = 7000  # of whoever has an address to itself


def _run(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


class Place:
    """One home of a process: the command that runs another one there, and the address to listen on."""

    def __init__(self, prefix, host, port):
        self.prefix, self.host, self.port = prefix, host, port

    @property
    def address(self):
        return f"{self.host}:{self.port}"


class Loopback:
    host = "127.0.0.1"
    apart = False  # whether it shows who calls

    def place(self):
        with socket.socket() as s:
            s.bind((self.host, 0))
            return Place([], self.host, s.getsockname()[1])

    def close(self):
        pass


def _free_network():
    """The first half of its addresses: of one that nobody here uses, such as another run of this."""
    used = subprocess.run(["ip", "-o", "-4", "address"], check=True, text=True, stdout=subprocess.PIPE).stdout
    networks = (f"10.{(os.getpid() + n) % 200 + 30}" for n in range(200))
    return next(network for network in networks if f" {network}." not in used)


class Namespaces:
    apart = True

    def __init__(self):
        self._tag = f"sl{os.getpid()}"
        self._net = _free_network()
        self._made = []
        self.host = f"{self._net}.0.1"
        try:
            _run("ip", "link", "add", self._tag, "type", "bridge")
            _run("ip", "address", "add", f"{self.host}/16", "dev", self._tag)
            _run("ip", "link", "set", self._tag, "up")
            self.place()
        except Exception:
            self.close()
            raise

    def place(self):
        n = len(self._made) + 2
        name, host = f"{self._tag}-{n}", f"{self._net}.{n // 250}.{n % 250 + 2}"
        _run("ip", "netns", "add", name)
        self._made.append(name)
        _run("ip", "link", "add", f"{self._tag}v{n}", "type", "veth", "peer", "name", "eth0", "netns", name)
        _run("ip", "link", "set", f"{self._tag}v{n}", "master", self._tag, "up")
        inside = ("ip", "-n", name)
        _run(*inside, "address", "add", f"{host}/16", "dev", "eth0")
        _run(*inside, "link", "set", "eth0", "up")
        _run(*inside, "link", "set", "lo", "up")
        return Place(["ip", "netns", "exec", name], host, PORT)

    def close(self):
        for name in self._made:
            subprocess.run(["ip", "netns", "delete", name], stderr=subprocess.DEVNULL)
        subprocess.run(["ip", "link", "delete", self._tag], stderr=subprocess.DEVNULL)


def network():
    """Namespaces if they can be made here, else loopback, with a word on why."""
    try:
        return Namespaces()
    except (OSError, subprocess.CalledProcessError) as error:
        why = error.stderr.decode().strip() if isinstance(error, subprocess.CalledProcessError) else error
        print(f"no network namespaces here ({why}): all on loopback, no pairs are cut off", flush=True)
        return Loopback()


class Disk:
    """A folder that can be made full, if it can be a file system of its own."""

    def __init__(self, folder, megabytes=64):
        self.folder = folder
        os.makedirs(folder)
        try:
            _run("mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "chaos", folder)
            self.limited = True
        except (OSError, subprocess.CalledProcessError):
            self.limited = False

    def fill(self):
        with open(f"{self.folder}/full", "wb", buffering=0) as file:
            for block in (1 << 20, 1 << 12):
                try:
                    while True:
                        file.write(bytes(block))
                except OSError:
                    pass

    def free(self):
        if os.path.exists(f"{self.folder}/full"):
            os.remove(f"{self.folder}/full")

    def close(self):
        if self.limited:
            subprocess.run(["umount", "-l", self.folder], stderr=subprocess.DEVNULL)

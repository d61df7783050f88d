"""A TCP proxy that does to connections what a bad network does. Runs on a thread of its own."""
import asyncio
import random
import threading

KINDS = {
    "hole": "nothing arrives, either way",
    "hole_in": "nothing arrives of what is sent to it",
    "hole_out": "nothing arrives of what it answers",
    "slow": "2 MB/s",
    "lossy": "every tenth part comes 200 ms late, as a lost packet that is sent again does",
    "delay": "20 to 60 ms, so parts on different connections overtake one another",
}


class Door:
    """A port that leads to the first of some targets that answers."""

    def __init__(self, port):
        self.port = port
        self.targets = []
        self.fault = None
        self.cut = set()  # hosts whose connections are held
        self.writers = set()

    def held(self, caller, inward):
        return self.fault == "hole" or self.fault == ("hole_in" if inward else "hole_out") or caller in self.cut


class FaultProxy:
    def __init__(self, seed, host):
        self._host = host
        self._rng = random.Random(seed)
        self._doors = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def _do(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    def open(self, name):
        """A door of that name; the address that leads through it."""
        async def listen():
            door = Door(0)
            server = await asyncio.start_server(lambda r, w: self._serve(door, r, w), self._host, 0)
            door.port = server.sockets[0].getsockname()[1]
            return door
        self._doors[name] = self._do(listen())
        return f"{self._host}:{self._doors[name].port}"

    def lead(self, name, targets):
        """Where the door leads from now on: HOST:PORT, the first that answers."""
        self._doors[name].targets = list(targets)

    def fault(self, name, kind):
        """Sets what is wrong with a door; None: nothing."""
        self._doors[name].fault = kind

    def cut(self, name, host, held):
        """Whether what that host and whoever is behind the door say to one another is held."""
        (self._doors[name].cut.add if held else self._doors[name].cut.discard)(host)

    def reset(self, name):
        """Ends all its connections."""
        async def end():
            for writer in list(self._doors[name].writers):
                writer.transport.abort()
        self._do(end())

    async def _serve(self, door, reader, writer):
        for target in door.targets:
            host, port = target.rsplit(":", 1)
            try:
                far_reader, far_writer = await asyncio.open_connection(host, int(port))
                break
            except OSError:
                continue
        else:
            writer.transport.abort()
            return
        both = {writer, far_writer}
        door.writers |= both
        caller = writer.get_extra_info("peername")[0]
        await asyncio.gather(self._pass(door, caller, reader, far_writer, True),
                             self._pass(door, caller, far_reader, writer, False))
        door.writers -= both

    async def _pass(self, door, caller, reader, writer, inward):
        try:
            while True:
                part = await reader.read(1 << 16)
                if not part:
                    break
                if door.fault == "slow":
                    await asyncio.sleep(len(part) / 2e6)
                elif door.fault == "lossy" and self._rng.random() < 0.1:
                    await asyncio.sleep(0.2)
                elif door.fault == "delay":
                    await asyncio.sleep(self._rng.uniform(0.02, 0.06))
                while door.held(caller, inward):
                    await asyncio.sleep(0.02)
                writer.write(part)
                await writer.drain()
        except OSError:
            pass
        writer.transport.abort()

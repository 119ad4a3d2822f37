"""One cell after the other in a kernel, by nbclient: what it prints, what is kept of it, and how it ended.

nbclient starts the kernel and knows what its messages mean. What is done here and not there: a cell's output is taken to
its end however long that takes after the cell has ended, what is kept of it has a bound and says what it lacks, a cell
has a time limit that shows where it hung, and a kernel that died says of what.
"""

import asyncio
import collections
import inspect
import queue
import re
import signal
import time

import nbclient
import zmq
from jupyter_client.kernelspec import KernelSpecManager
from nbclient.exceptions import CellExecutionComplete
from nbformat import v4

QUEUE = 100_000  # messages that may wait to be taken
QUIET = 4  # seconds without a message after a cell's end: what is missing does not come
UNINTERRUPTED = 10  # seconds that an interrupted cell may take
CELL = 16 << 20  # characters that a cell keeps of its output
NOTEBOOK = 64 << 20  # and all cells together
LEAST = 8 << 10  # what a stream keeps when these are used up
LINE = 4 << 10  # characters that a line may have, to be left out whole rather than in part
NODES = 1000  # outputs of a cell; streams are merged beyond
LIVE = 8 << 20  # characters that a cell shows live
LIVE_NOTEBOOK = 64 << 20  # and all cells together
LIVE_END = 16 << 10  # what it shows of its end beyond
SHOWN = 20  # lines of the code of a cell that hangs
NOTE = "\n[manifests-e2e: %s]\n"  # what is said within an output


def kernels():
    """The kernels of the image, each with its language."""
    found = KernelSpecManager().get_all_specs()
    return {name: it["spec"].get("language") or "" for name, it in found.items()}


class Clipped:
    """The begin and the end of a text that may be endless."""

    def __init__(self, head, tail):
        self.head, self.room = [], head
        self.tail, self.most, self.size = collections.deque(), tail, 0
        self.lost = 0

    def add(self, text):
        """Gives by how much it grew."""
        grown = min(self.room, len(text))
        append(self.head, text[:grown])
        self.room -= grown
        text, before = text[grown:], self.size
        append(self.tail, text)
        self.size += len(text)
        while self.size > self.most:
            over = self.size - self.most
            first = self.tail.popleft()
            # What is cut off is a whole line, where there are lines: half of one may be half a secret.
            if len(first) > over:
                cut = first.find("\n", over - 1, over + LINE) + 1 or over
                if cut < len(first):
                    self.tail.appendleft(first[cut:])
                first = first[:cut]
            self.size, self.lost = self.size - len(first), self.lost + len(first)
        return grown + max(0, self.size - before)

    def text(self):
        head, tail = "".join(self.head), "".join(self.tail)
        if not self.lost:
            return head + tail
        return "%s\n[manifests-e2e: %d characters are left out here]\n%s" % (head.rstrip("\n"), self.lost, tail)


def append(pieces, text):
    """Puts a text at the end of pieces that are neither many nor long."""
    if text and pieces and len(pieces[-1]) + len(text) < 4096:
        pieces[-1] += text
    elif text:
        pieces.append(text)


def out_of_memory():
    """How many processes of this container were killed for want of memory."""
    for path in ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"):
        try:
            with open(path, encoding="ascii") as file:
                return int(re.search(r"^oom_kill (\d+)", file.read(), re.M).group(1))
        except (OSError, AttributeError):
            continue
    return 0


def error(kind, message, *traceback):
    return {"ename": kind, "evalue": message, "traceback": list(traceback)}


async def answer(it):
    return await it if inspect.isawaitable(it) else it


class Client(nbclient.NotebookClient):
    """A kernel that runs the cells of a notebook.

    `show` prints a piece of its output; a cell may take `limit` seconds, 0 being no limit.
    """

    def __init__(self, notebook, kernel, directory, limit, show):
        super().__init__(notebook, kernel_name=kernel, startup_timeout=300)
        self.directory, self.limit, self.show = directory, limit, show
        self.left, self.live_left = NOTEBOOK, LIVE_NOTEBOOK
        self.changed = set()
        self.streams, self.by_name = [], {}

    async def begin(self):
        self.killed = out_of_memory()
        self.create_kernel_manager()
        await self.async_start_new_kernel(cwd=self.directory)
        self.kc = self.km.client()
        # What does not fit into the queue is thrown away without a word.
        self.kc.context.setsockopt(zmq.RCVHWM, QUEUE)
        await answer(self.kc.start_channels())
        await answer(self.kc.wait_for_ready(timeout=self.startup_timeout))
        self.kc.allow_stdin = False
        about = await self.reply(await answer(self.kc.kernel_info()))
        if "language_info" in about["content"]:
            self.nb.metadata["language_info"] = about["content"]["language_info"]

    async def run_cell(self, cell, index, save):
        """Runs a cell to its end, and gives the error that it was not meant to end with.

        `save` is called about once a second in between.
        """
        self.forget_streams()
        self.dropped, self.unseen = 0, Clipped(0, LIVE_END)
        self.live = max(LEAST, min(LIVE, self.live_left))
        self.first, self.last, self.taken = None, None, 0
        self.heard = time.monotonic()
        cell.outputs, cell.metadata["execution"] = [], {}
        self.clear_before_next_output = False
        shown = self.live
        try:
            found = await self.outcome(cell, index, save)
        except Exception as raised:
            found = error(type(raised).__name__, str(raised))
        self.live_left -= shown - self.live
        self.left -= min(CELL, self.left) - self.cell_left
        if self.dropped:
            self.keep("stderr", NOTE % ("%d displays are left out here" % self.dropped), cell.outputs)
        if self.unseen.size:
            self.show(NOTE % ("%d characters are not shown here" % self.unseen.lost) + "".join(self.unseen.tail))
        self.settle()
        return found

    async def outcome(self, cell, index, save):
        allowed = "raises-exception" in cell.metadata.get("tags", [])
        request = await answer(self.kc.execute(cell.source, store_history=True, stop_on_error=not allowed))
        reply = asyncio.ensure_future(self.reply(request))
        output = asyncio.ensure_future(self.take(request, cell, index))
        begun, interrupted = time.monotonic(), None
        try:
            while not (reply.done() and output.done()):
                pending = [task for task in (reply, output) if not task.done()]
                done, _ = await asyncio.wait(pending, timeout=1, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
                if done:
                    continue
                save()
                now = time.monotonic()
                if not await answer(self.km.is_alive()):
                    return with_output(cell, self.death())
                if reply.done() and now - self.heard > QUIET:
                    self.keep("stderr", NOTE % "the end of this cell's output did not come", cell.outputs)
                    break
                if interrupted and now - interrupted > UNINTERRUPTED:
                    return with_output(cell, self.hung(cell, None))
                if self.limit and not interrupted and now - begun > self.limit and not reply.done():
                    interrupted = now
                    await answer(self.km.interrupt_kernel())
        finally:
            reply.cancel()
            output.cancel()
        lost = self.lost()
        if lost:
            self.keep("stderr", NOTE % ("%d messages of this cell's output are lost: they came too fast" % lost), cell.outputs)
        content = reply.result()["content"]
        if interrupted:
            return self.hung(cell, content.get("traceback"))
        return None if content["status"] == "ok" or allowed and content["status"] == "error" else content

    async def reply(self, request):
        while True:
            try:
                # Whoever sends on this socket meanwhile, as an output widget does, may take away the sign that an
                # answer has come: it is looked for again.
                message = await answer(self.kc.shell_channel.get_msg(timeout=1))
            except queue.Empty:
                continue
            if message["parent_header"].get("msg_id") == request:
                return message

    async def take(self, request, cell, index):
        """Takes the output of a cell to its end."""
        while True:
            message = await answer(self.kc.iopub_channel.get_msg(timeout=None))
            self.heard = time.monotonic()
            is_ours = message["parent_header"].get("msg_id") == request
            if is_ours or self.first:
                self.count(message["header"]["msg_id"])
            if is_ours:
                try:
                    self.process_message(message, cell, index)
                except CellExecutionComplete:
                    return
            if self.taken % 32 == 0:
                # A message that is there already is taken without giving way to anybody.
                await asyncio.sleep(0)

    def count(self, name):
        """Counts a message; ipykernel numbers all that it sends."""
        sender, _, number = name.rpartition("_")
        if sender and number.isdigit():
            self.first = self.first or (sender, int(number))
            self.last = (sender, int(number))
        self.taken += 1

    def lost(self):
        """How many messages of the cell did not come. One of those that were sent was its reply."""
        if not self.first or self.first[0] != self.last[0]:
            return 0
        return max(0, self.last[1] - self.first[1] - self.taken)

    def process_message(self, msg, cell, cell_index):
        kind = msg["msg_type"]
        if kind in ("execute_result", "display_data", "update_display_data"):
            data = msg["content"]["data"]
            text = data.get("text/plain")
            if text is not None and kind != "update_display_data":
                self.show_live(("".join(map(str, text)) if isinstance(text, list) else str(text)) + "\n")
            if not cell.outputs:
                self.forget_streams()
            size = sum(len(each) if isinstance(each, str) else len(str(each)) for each in data.values())
            if size > self.cell_left:
                what = "%d characters of %s are left out here" % (size, ", ".join(sorted(data)))
                msg["content"]["data"] = {"text/plain": (NOTE % what).strip()}
            elif kind != "update_display_data":
                self.cell_left -= size
        return super().process_message(msg, cell, cell_index)

    def output(self, outs, msg, display_id, cell_index):
        if self.output_hook_stack[msg["parent_header"].get("msg_id")]:
            return super().output(outs, msg, display_id, cell_index)
        if msg["msg_type"] == "stream":
            if self.clear_before_next_output:
                self.clear_before_next_output = False
                outs[:] = []
                self.clear_display_id_mapping(cell_index)
            # In this order: who is stopped in between has saved what was seen.
            self.keep(msg["content"]["name"], msg["content"]["text"], outs)
            self.show_live(msg["content"]["text"])
            return None
        if len(outs) >= 10 * NODES and not display_id and msg["msg_type"] != "error":
            self.dropped += 1
            return None
        return super().output(outs, msg, display_id, cell_index)

    def show_live(self, text):
        now, later = text[: self.live], text[self.live :]
        self.live -= len(now)
        if now:
            self.show(now)
        if later:
            self.unseen.add(later)

    def forget_streams(self):
        self.streams, self.by_name, self.cell_left = [], {}, min(CELL, self.left)

    def keep(self, name, text, outs):
        """Adds to the last output where that is the same stream, as a front end does."""
        if not outs:
            self.forget_streams()
        node, clipped = self.by_name.get(name, (None, None))
        if node is None or (outs[-1] is not node and len(outs) < (NODES if self.cell_left else 2)):
            node = v4.new_output("stream", name=name, text="")
            clipped = Clipped(*[max(LEAST, self.cell_left) // 2] * 2)
            outs.append(node)
            self.streams.append((node, clipped))
            self.by_name[name] = (node, clipped)
        self.cell_left = max(0, self.cell_left - clipped.add(text))

    def settle(self):
        """Writes into the outputs what streams have come to."""
        for node, clipped in self.streams:
            node["text"] = clipped.text()

    def _update_display_id(self, display_id, msg):
        super()._update_display_id(display_id, msg)
        self.changed.update(self._display_id_map.get(display_id, {}))

    def others_changed(self, index):
        """The earlier cells of which this one has changed a display."""
        changed, self.changed = self.changed - {index}, set()
        return sorted(changed)

    def death(self):
        process = getattr(getattr(self.km, "provisioner", None), "process", None) or getattr(self.km, "kernel", None)
        code = process.poll() if process else None
        if code is None:
            how = "ended"
        elif code >= 0:
            how = "ended with exit code %d" % code
        else:
            how = "was killed by signal %d (%s)" % (-code, signal.Signals(-code).name)
        if out_of_memory() > self.killed:
            how += " for want of memory (OOMKilled): the container's limit, or the node's memory, is too small for it"
        return error("DeadKernelError", "the kernel " + how)

    def hung(self, cell, traceback):
        """The error of a cell beyond its limit; where it heeded the interrupt, its traceback shows where it hung."""
        code = "\n".join("    " + line for line in cell.source.splitlines()[:SHOWN])
        where = traceback or ["It did not heed an interrupt. Its code is:\n" + code]
        return error("CellTimeout", "not done within %gs" % self.limit, *where)


def with_output(cell, found):
    """An error that the kernel could not show."""
    cell.outputs.append(v4.new_output("error", **found))
    return found

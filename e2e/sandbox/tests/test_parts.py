"""What `up`, `down` and `status` believe of a machine: pids that are stale, ports that are taken, parts that are misspelt."""

import os
import socket
import subprocess
import tempfile
import unittest
from pathlib import Path

SANDBOX = Path(__file__).parent.parent


class Parts(unittest.TestCase):
    def setUp(self):
        self.cache = Path(self.enterContext(tempfile.TemporaryDirectory()))
        (self.cache / "log").mkdir()
        (self.cache / "stamps").mkdir()

    def run_in(self, *command: str) -> subprocess.CompletedProcess:
        environment = {**os.environ, "SANDBOX_CACHE": str(self.cache)}
        return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, check=False)

    def bash(self, script: str) -> subprocess.CompletedProcess:
        return self.run_in("bash", "-euc", f". {SANDBOX}/lib.sh; {script}")

    def test_a_part_holds_no_lock_that_it_was_started_under(self):
        lock = self.cache / "theirs"
        self.bash(f"exec 7>{lock}; flock 7; runs() {{ :; }}; start cloud sleep 60")
        pid = (self.cache / "cloud.pid").read_text().strip()
        self.addCleanup(subprocess.run, ["kill", pid], check=False)
        self.assertEqual(0, self.run_in("flock", "-n", str(lock), "true").returncode)

    def test_a_pid_that_is_anothers_by_now_is_not_a_part_and_is_left_alone(self):
        other = subprocess.Popen(["sleep", "60"])
        self.addCleanup(other.wait)
        self.addCleanup(other.kill)
        (self.cache / "cloud.pid").write_text(str(other.pid))
        self.assertEqual(self.run_in(str(SANDBOX / "status")).stdout, "")
        self.assertEqual(self.bash("halt cloud").returncode, 0)
        self.assertIsNone(other.poll())
        self.assertFalse((self.cache / "cloud.pid").exists())

    def test_a_part_that_was_started_runs_and_is_halted(self):
        self.assertEqual(self.bash("start cloud python3 -c 'import signal; signal.pause()' ec2.py").returncode, 0)
        self.assertEqual(self.run_in(str(SANDBOX / "status")).stdout, "cloud\n")
        self.assertEqual(self.bash("halt cloud").returncode, 0)
        self.assertEqual(self.run_in(str(SANDBOX / "status")).stdout, "")

    def test_a_port_in_use_is_named_with_its_holder(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            refused = self.bash(f"port_is_free 127.0.0.1 {port} cloud")
        self.assertEqual(refused.returncode, 1)
        self.assertIn(f"the cloud needs port {port} of 127.0.0.1, which is in use", refused.stderr)
        self.assertIn(str(os.getpid()), refused.stderr)
        self.assertEqual(self.bash(f"port_is_free 127.0.0.1 {port} cloud").returncode, 0)

    def test_what_never_answers_fails_with_its_log(self):
        failed = self.bash("start cloud sh -c 'echo no such image >&2'; await cloud http://127.0.0.1:9/")
        self.assertEqual(failed.returncode, 1)
        self.assertIn("no such image", failed.stderr)
        self.assertIn("the cloud does not answer on http://127.0.0.1:9/ and has ended", failed.stderr)

    def test_what_runs_and_never_answers_is_told_from_what_ended(self):
        script = "import signal; signal.pause()"
        failed = self.bash(f"SANDBOX_PATIENCE=1; start cloud python3 -c '{script}' ec2.py; await cloud http://127.0.0.1:9/")
        self.assertEqual(failed.returncode, 1)
        self.assertIn("the cloud does not answer on http://127.0.0.1:9/ and runs, with a load of", failed.stderr)
        self.assertEqual(self.bash("halt cloud").returncode, 0)

    def test_what_becomes_its_program_late_is_waited_for(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        serve = f"from http.server import *; HTTPServer(('127.0.0.1', {port}), SimpleHTTPRequestHandler).serve_forever()"
        (self.cache / "late").write_text(f'sleep 3; exec python3 -c "{serve}" ec2.py')
        answered = self.bash(f"start cloud sh {self.cache}/late; await cloud http://127.0.0.1:{port}/")
        self.addCleanup(self.bash, "halt cloud")
        self.assertEqual((answered.returncode, answered.stderr), (0, ""))

    def test_a_product_is_made_again_when_what_it_is_made_of_changes(self):
        self.assertEqual(self.bash("mark kube one; made_of kube one && ! made_of kube two").returncode, 0)
        self.assertNotEqual(self.bash("made_of etcd ''").returncode, 0)

    def test_a_part_that_there_is_not_is_refused(self):
        for script in ("up", "down"):
            refused = self.run_in(str(SANDBOX / script), "clowd")
            self.assertEqual(refused.returncode, 1, script)
            self.assertIn("no part clowd", refused.stderr)


if __name__ == "__main__":
    unittest.main()

"""The stand-in for actions/upload-artifact keeps what that one takes and refuses what it refuses."""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

INDEX = Path(__file__).parent.parent / "upload-artifact" / "index.js"


class UploadArtifact(unittest.TestCase):
    def setUp(self):
        self.home = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.shelf = self.home / "shelf"
        self.write("bundle/report.html", "bundle/logs/a.log", "bundle/.hidden", "other/b.log")

    def write(self, *names: str):
        for name in names:
            file = self.home / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(name)

    def upload(self, **inputs: str) -> subprocess.CompletedProcess:
        given = {f"INPUT_{name.replace('_', '-').upper()}": value for name, value in inputs.items()}
        environment = {"PATH": os.environ["PATH"], "SANDBOX_ARTIFACTS": str(self.shelf), "GITHUB_OUTPUT": str(self.home / "output"), **given}
        return subprocess.run(["node", INDEX], capture_output=True, text=True, timeout=60, cwd=self.home, env=environment, check=False)

    def kept(self, name: str = "artifact") -> list[str]:
        return sorted(str(f.relative_to(self.shelf / name)) for f in (self.shelf / name).rglob("*") if f.is_file())

    def assert_refused(self, why: str, **inputs: str):
        done = self.upload(**inputs)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn("::error::", done.stdout)
        self.assertIn(why, done.stdout)

    def test_a_directory_is_kept_from_its_own_root_without_hidden_files(self):
        done = self.upload(path="bundle", name="b", retention_days="90")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.kept("b"), ["logs/a.log", "report.html"])
        self.assertRegex((self.home / "output").read_text(), r"artifact-id=1\nartifact-url=file://\S+\nartifact-digest=[0-9a-f]{64}\n")

    def test_hidden_files_come_when_they_are_asked_for(self):
        self.upload(path="bundle", include_hidden_files="true")
        self.assertIn(".hidden", self.kept())

    def test_several_paths_start_from_what_they_have_in_common(self):
        self.upload(path="bundle/**/*.log\nother\n!other/none")
        self.assertEqual(self.kept(), ["bundle/logs/a.log", "other/b.log"])

    def test_a_line_that_starts_with_a_mark_leaves_out(self):
        self.upload(path="bundle\n!bundle/logs/**")
        self.assertEqual(self.kept(), ["report.html"])

    def test_a_single_file_is_kept_by_its_name(self):
        self.upload(path="bundle/report.html", archive="false")
        self.assertEqual(self.kept("report.html"), ["report.html"])

    def test_no_archive_takes_one_file_only(self):
        self.assert_refused("single file", path="bundle", archive="false")

    def test_paths_that_artifacts_may_not_hold_are_refused(self):
        for character in '":<>|*?\r\n':
            name = f"bundle/a{character}b"
            self.write(name)
            with self.subTest(character=character):
                self.assert_refused("which artifacts may not", path="bundle")
            (self.home / name).unlink()

    def test_names_that_artifacts_may_not_have_are_refused(self):
        for character in '":<>|*?\\/':
            with self.subTest(character=character):
                self.assert_refused("which artifacts may not", path="bundle", name=f"a{character}b")

    def test_nothing_found_is_an_error_only_where_that_is_asked(self):
        self.assert_refused("No files were found", path="none", if_no_files_found="error")
        self.assertIn("::warning::", self.upload(path="none").stdout)
        self.assertNotIn("::", self.upload(path="none", if_no_files_found="ignore").stdout)

    def test_values_out_of_range_are_refused(self):
        for name, value in [("retention_days", "0"), ("retention_days", "91"), ("retention_days", "ten"), ("compression_level", "10"),
                            ("overwrite", "yes"), ("if_no_files_found", "fail")]:
            with self.subTest(name=name, value=value):
                self.assert_refused(f"{name.replace('_', '-')} is {value}", path="bundle", **{name: value})

    def test_an_artifact_is_replaced_only_when_that_is_asked(self):
        self.upload(path="bundle")
        self.assert_refused("409", path="other")
        self.assertEqual(self.upload(path="other", overwrite="true").returncode, 0)
        self.assertEqual(self.kept(), ["b.log"])

    def test_inputs_that_it_does_not_have_are_refused(self):
        self.assert_refused("no such input: retention", path="bundle", retention="3")

    def test_no_path_is_refused(self):
        self.assert_refused("path is required", name="b")


if __name__ == "__main__":
    unittest.main()

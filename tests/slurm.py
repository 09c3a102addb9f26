"""A Slurm of one node that the tests own: a real queue, array jobs and signals, on the loopback address only."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from shutil import which

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch")
INSTALL = "apt-get install slurm-wlm munge"
_SECONDS = 60.0
# Debian keeps daemons where only root's path leads.
_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"])

# Sixteen cores, whatever the machine has: a small array really starts at once. The scheduler looks every second instead
# of every minute, and a job that is requeued waits no two minutes until its credential of before has expired.
_CONFIGURATION = """\
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=1,bf_interval=1
SlurmdParameters=config_overrides
ReturnToService=2
MpiDefault=none
MailProg=/bin/true
KillWait=5
NodeName={host} NodeAddr=127.0.0.1 CPUs=16 RealMemory=16000
PartitionName=tests Nodes=ALL Default=YES MaxTime=INFINITE
"""


def missing() -> str | None:
    """Why no Slurm can be started here, and what would help."""
    absent = [program for program in PROGRAMS if which(program, path=_PATH) is None]
    if absent:
        return f"needs Slurm ({', '.join(absent)} not found), as `{INSTALL}` brings it"
    if os.geteuid() != 0:
        return f"needs root to start the daemons of Slurm (`{INSTALL}`)"
    return None


class Slurm:
    """A running Slurm; whatever it writes is in a folder of its own.

    Attributes
    ----------
    environment : dict
        In which Slurm's commands speak to this one and to no other.
    """

    def __init__(self):
        # Not in pytest's folders: their paths are too long for a socket, and closed to others.
        self._folder = Path(tempfile.mkdtemp(prefix="slurm-"))
        self._folder.chmod(0o755)
        self._configuration = self._folder / "slurm.conf"
        # Tests may themselves be a job of another Slurm.
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM", "SBATCH"))}
        self.environment = {**inherited, "PATH": _PATH, "SLURM_CONF": str(self._configuration)}
        self._daemons: dict[str, subprocess.Popen] = {}
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def call(self, *command, **options):
        """What a command prints; AssertionError with the daemons' logs where it fails."""
        result = self.run(*command, **options)
        assert result.returncode == 0, f"{command}: {result.stdout}{result.stderr}\n{self.logs()}"
        return result.stdout.strip()

    def run(self, *command, **options):
        """A command that has ended, well or not; `options` are those of ``subprocess.run``."""
        given = {"env": self.environment, "capture_output": True, "text": True, "timeout": _SECONDS, **options}
        return subprocess.run([str(word) for word in command], **given)

    def sbatch(self, *args, **options):
        """Number of the job that was submitted."""
        return self.call("sbatch", "--parsable", *args, **options)

    def scancel(self, *args):
        """Cancel a job, or send it a signal."""
        self.call("scancel", *args)

    def jobs(self, job):
        """What Slurm knows of a job, of every task of an array: a list of dicts, from the first task on."""
        lines = self.call("scontrol", "--oneliner", "show", "job", job).splitlines()
        known = [dict(word.split("=", 1) for word in line.split() if "=" in word) for line in lines]
        return sorted(known, key=lambda one: int(one.get("ArrayTaskId", 0)))

    def wait(self, *jobs, seconds=2 * _SECONDS):
        """Wait until jobs have left the queue."""
        self.until(lambda: not self.call("squeue", "--noheader", f"--jobs={','.join(jobs)}"), seconds)

    def until(self, condition, seconds=_SECONDS):
        """Wait until something is true, as long as all daemons live."""
        end = time.monotonic() + seconds
        while not condition():
            ended = [name for name, process in self._daemons.items() if process.poll() is not None]
            assert not ended, f"{', '.join(ended)} ended\n{self.logs()}"
            assert time.monotonic() < end, f"waited {seconds} s in vain\n{self.logs()}"
            time.sleep(0.1)

    def logs(self):
        """The last that the daemons said, and the queue."""
        said = [f"--- {path.name}\n" + "\n".join(_last_lines(path)) for path in sorted(self._folder.glob("*.log"))]
        if "slurmctld" in self._daemons:
            said.append("--- squeue\n" + self.run("squeue").stdout)
        return "\n".join(said)

    def close(self):
        """End all jobs and daemons, and see that none is left."""
        if self._daemons.keys() >= {"slurmctld", "slurmd"}:
            self.run("scancel", "--me")
            # A daemon that does not answer cannot say that the queue is empty; what is left is found below.
            end = time.monotonic() + _SECONDS / 2
            while time.monotonic() < end and self.run("squeue", "--noheader").stdout:
                time.sleep(0.1)
        for process in reversed(self._daemons.values()):
            process.terminate()
            try:
                process.wait(_SECONDS / 2)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        end = time.monotonic() + 10
        while (left := self.processes()) and time.monotonic() < end:
            time.sleep(0.1)
        logs = "\n".join("\n".join(_last_lines(path)) for path in self._folder.glob("*.log")) if left else ""
        shutil.rmtree(self._folder)
        assert not left, f"{left} are left\n{logs}"

    def processes(self):
        """Number and command of all that run for this Slurm: its daemons, their helpers, jobs."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if f"SLURM_CONF={self._configuration}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                    found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                # It has ended meanwhile.
                pass
        return found

    def _open(self):
        for name in ("state", "spool"):
            (self._folder / name).mkdir()
        key = self._folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        host = socket.gethostname().split(".")[0]
        self._configuration.write_text(_CONFIGURATION.format(folder=self._folder, host=host, ports=_free_ports(2)))
        files = {name: self._folder / f"munge.{name.split('-')[0]}" for name in ("key-file", "socket", "pid-file")}
        files["seed-file"] = self._folder / "munge.seed"
        self._start("munged", "--foreground", *(f"--{name}={file}" for name, file in files.items()))
        self.until(files["socket"].exists)
        self._start("slurmctld", "-D")
        self._start("slurmd", "-D")
        self.until(lambda: self.run("sinfo", "--noheader", "--format=%T").stdout.strip() == "idle")

    def _start(self, program, *options):
        with open(self._folder / f"{program}.log", "wb") as log:
            self._daemons[program] = subprocess.Popen(
                [which(program, path=_PATH), *options],
                cwd=self._folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )


def _free_ports(n):
    listening = [socket.create_server(("127.0.0.1", 0)) for _ in range(n)]
    ports = [one.getsockname()[1] for one in listening]
    for one in listening:
        one.close()
    return ports


def _last_lines(path):
    return path.read_text(errors="replace").splitlines()[-40:]

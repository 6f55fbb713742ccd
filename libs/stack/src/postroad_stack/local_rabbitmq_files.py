"""Names, ports, files and environment of a private RabbitMQ node."""

import shlex
from dataclasses import dataclass
from pathlib import Path

from postroad_stack.directories import make_private_directory, own
from postroad_stack.ports import LOOPBACK
from postroad_stack.programs import RabbitPrograms

# Erlang terms rather than rabbitmq.conf: translating the latter costs two seconds of every boot.
# net_ticktime: a hung node is noticed after ten seconds instead of the default's seventy.
CONFIG = """\
[{{rabbit, [
   {{tcp_listeners, [{{"{host}", {port}}}]}},
   {{default_user, <<"{user}">>}},
   {{default_pass, <<"{password}">>}},
   {{vm_memory_high_watermark, {{absolute, 2000000000}}}},
   {{disk_free_limit, 200000000}},
   {{cluster_partition_handling, pause_minority}},
   {{log, [{{file, [{{level, warning}}]}}, {{console, [{{enabled, false}}]}}]}}]}},
 {{kernel, [{{net_ticktime, 8}}]}}].
"""

# sbwt: schedulers that have nothing to do sleep at once; spinning would take the processors from their neighbours.
ERL_ARGS = "+sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {127,0,0,1}"

CTL_SCRIPT = """\
#!/bin/sh
# rabbitmqctl for this private node
{exports}
if [ "$1" = eval ] && [ -x {erl_call} ]; then  # the same at once: rabbitmqctl takes a second to start
  said=$(printf '%s\\n' "$2" | {erl_call} -h call$$ -sname {nodename} -e 2>&1)
  printf '%s\\n' "$said"
  case $said in "{{ok, "*) exit 0 ;; esac
  exit 1
fi
exec {program} "$@"
"""


@dataclass(frozen=True, kw_only=True)
class Node:
    """One member of a private broker."""

    name: str
    directory: Path
    home: Path
    """Where Erlang looks for the cookie: one home, one cluster."""
    port: int
    distribution_port: int
    epmd_port: int
    ctl_port: int
    """First of the ports that command-line calls listen on."""

    @property
    def nodename(self) -> str:
        """A short name at localhost needs no DNS."""
        return f"{self.name}@localhost"

    @property
    def ctl(self) -> Path:
        """A script that runs `rabbitmqctl` against this node."""
        return self.directory / "rabbitmqctl"


CTL_PORTS = 10


def write_node_files(node: Node, programs: RabbitPrograms, *, user: str, password: str) -> None:
    """Create the node's directories, its configuration and its `rabbitmqctl`."""
    make_private_directory(node.directory)
    for part in ("mnesia", "log", "schema", "generated"):
        make_private_directory(node.directory / part)
    config = CONFIG.format(host=LOOPBACK, port=node.port, user=user, password=password)
    (node.directory / "rabbitmq.config").write_text(config)
    (node.directory / "enabled_plugins").write_text("[].\n")
    for name in ("rabbitmq.config", "enabled_plugins"):
        own(node.directory / name)
    _write_ctl(node, programs)


def write_cookie(home: Path, cookie: str) -> None:
    """Create a home directory with an Erlang cookie that only its owner reads."""
    make_private_directory(home)
    path = home / ".erlang.cookie"
    path.touch(mode=0o600)
    path.write_text(cookie)
    path.chmod(0o400)
    own(path)


def node_environment(node: Node, scripts: Path | None) -> dict[str, str]:
    """Everything RabbitMQ would otherwise look for in the system's own places."""
    at = node.directory
    return {
        **_common_environment(node),
        **({"RABBITMQ_SCRIPTS_DIR": str(scripts)} if scripts else {}),
        "RABBITMQ_NODE_IP_ADDRESS": LOOPBACK,
        "RABBITMQ_NODE_PORT": str(node.port),
        "RABBITMQ_DIST_PORT": str(node.distribution_port),
        "RABBITMQ_CONFIG_FILE": str(at / "rabbitmq.config"),
        "RABBITMQ_ADVANCED_CONFIG_FILE": str(at / "advanced.config"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(at / "enabled_plugins"),
        "RABBITMQ_MNESIA_BASE": str(at / "mnesia"),
        "RABBITMQ_MNESIA_DIR": str(at / "mnesia" / node.name),
        "RABBITMQ_FEATURE_FLAGS_FILE": str(at / "feature_flags"),
        "RABBITMQ_PLUGINS_EXPAND_DIR": str(at / "plugins-expand"),
        "RABBITMQ_GENERATED_CONFIG_DIR": str(at / "generated"),
        "RABBITMQ_SCHEMA_DIR": str(at / "schema"),
        "RABBITMQ_LOG_BASE": str(at / "log"),
        "RABBITMQ_PID_FILE": str(at / "pid"),
        # Replaces its shell by the Erlang machine, so that the process we start is the broker itself.
        "RABBITMQ_ALLOW_INPUT": "1",
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"-noinput {ERL_ARGS}",
        "ERL_CRASH_DUMP_BYTES": "0",
    }


def _common_environment(node: Node) -> dict[str, str]:
    return {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/homebrew/bin",
        "LANG": "C.UTF-8",
        "HOME": str(node.home),
        "ERL_EPMD_ADDRESS": LOOPBACK,
        "ERL_EPMD_PORT": str(node.epmd_port),
        "RABBITMQ_NODENAME": node.nodename,
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",  # the system's rabbitmq-env.conf is not for us
        "RABBITMQ_CTL_DIST_PORT_MIN": str(node.ctl_port),
        "RABBITMQ_CTL_DIST_PORT_MAX": str(node.ctl_port + CTL_PORTS - 1),
    }


def _write_ctl(node: Node, programs: RabbitPrograms) -> None:
    exports = "\n".join(f"export {key}={shlex.quote(value)}" for key, value in _common_environment(node).items())
    script = CTL_SCRIPT.format(
        exports=exports,
        program=shlex.quote(str(programs.bin / "rabbitmqctl")),
        erl_call=shlex.quote(str(programs.epmd.with_name("erl_call"))),
        nodename=node.nodename,
    )
    node.ctl.write_text(script)
    node.ctl.chmod(0o700)

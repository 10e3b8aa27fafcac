#!/usr/bin/env python3
"""The schema of Terraform's AWS provider, for `terraform validate` and `terraform test` where the provider itself cannot
be downloaded.

    check-deploy-schema.py PACKAGE SOCKET

PACKAGE is an unpacked npm package @cdktf/provider-aws, which was generated from that schema and holds all of it that
matters here: names, types, nesting, what is required. It is served on SOCKET by Terraform's plugin protocol
(TF_REATTACH_PROVIDERS). Nothing else is: no plan and no apply works with it, and what the provider checks in code of its
own (combinations of arguments, formats of values) is not checked.
"""

import json
import re
import sys
from concurrent import futures
from pathlib import Path

import grpc

# An entry of a ...ToHclTerraform function.
ENTRY = re.compile(
    r'(\w+): \{\s+value: (.+?),\s+isBlock: (true|false),\s+type: "(\w+)",\s+storageClassType: "(\w+)"', re.S
)
SIMPLE = {"string": "string", "boolean": "bool", "number": "number", "any": "dynamic"}
GETTERS = {
    "String": "string",
    "Boolean": "bool",
    "Number": "number",
    "List": ["list", "string"],
    "NumberList": ["list", "number"],
    "StringMap": ["map", "string"],
}


# --- protocol buffers, as far as they are needed: (field number, value) pairs to bytes


def varint(n):
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    return bytes(out + bytes([n]))


def message(*fields):
    out = b""
    for number, value in fields:
        if isinstance(value, int):
            out += varint(number << 3) + varint(value)
        else:
            value = value.encode() if isinstance(value, str) else value
            out += varint(number << 3 | 2) + varint(len(value)) + value
    return out


# --- reading the package


def camel(name):
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


class Module:
    """One resource, data source or provider of the package."""

    def __init__(self, folder):
        self.js = (folder / "index.js").read_text()
        types = (folder / "index.d.ts").read_text()
        self.kind = re.search(r"\.tfResourceType = \"(\w+)\"", self.js)
        self.main = re.findall(r"^class (\w+) extends cdktf\.Terraform\w+ \{", self.js, re.M)[-1]
        # interface -> the names without a question mark
        self.required = {}
        for name, body in re.findall(r"^export interface (\w+)[^{]*\{(.*?)^\}", types, re.M | re.S):
            self.required[name] = set(re.findall(r"^    readonly (\w+):", body, re.M))

    def klass(self, name):
        found = re.search(rf"^class {name} extends .*?^\}}", self.js, re.M | re.S)
        return found.group(0) if found else ""

    def outputs(self, klass):
        """What a class gives: name -> type, objects within lists included."""
        body = self.klass(klass)
        given = {}
        for kind, name in re.findall(r"this\.get(\w+)Attribute\('(\w+)'\)", body):
            given[name] = GETTERS.get(kind, "dynamic")
        for kind, name in re.findall(r'new cdktf\.(\w+)\(this, "(\w+)"', body):
            of = "bool" if "Boolean" in kind else "number" if "Number" in kind else "string"
            given[name] = ["map" if kind.endswith("Map") else "list", of]
        for kind, name in re.findall(r'new (\w+?)(?:List|Map)\(this, "(\w+)"', body):
            if "." not in kind:
                given[name] = ["list", ["object", self.outputs(f"{kind}OutputReference")]]
        return given

    def block(self, function, interface, outputs):
        """A Schema.Block: arguments and blocks of a function, and what else is only computed."""
        if function is None:
            body = self.klass(self.main).partition("synthesizeHclAttributes() {")[2]
        else:
            found = re.search(rf"^function {function}\(struct.*?^\}}", self.js, re.M | re.S)
            body = found.group(0) if found else ""
        required = self.required.get(interface, set())
        fields, seen = [], set()
        for name, value, _, nesting, storage in ENTRY.findall(body):
            seen.add(name)
            is_required = camel(name) in required
            inner = re.search(r"(\w+)ToHclTerraform\b", value)
            if "cdktf.listMapperHcl(" in value and re.search(r"\(cdktf\.", value):
                inner = None
            if inner and not re.match(r"^(string|number|boolean|any|hashMapper)$", inner.group(1)):
                to = inner.group(1)
                is_list = "listMapperHcl(" in value
                nested = self.block(f"{to}ToHclTerraform", to[0].upper() + to[1:], {})
                mode = {"struct": 1, "list": 2, "set": 3, "map": 4}[nesting]
                limits = [(4, 1)] if is_required else []
                limits += [] if is_list or mode == 1 else [(5, 1)]
                fields.append((3, message((1, name), (2, nested), (3, mode), *([] if mode == 1 else limits))))
                continue
            of = storage.removesuffix("List").removesuffix("Map")
            kind = SIMPLE.get(of, "dynamic")
            if nesting in ("list", "set", "map") and kind != "dynamic":
                kind = [nesting, kind]
            flags = [(4, 1)] if is_required else [(5, 1), (6, 1)]
            fields.append((2, message((1, name), (2, json.dumps(kind)), *flags)))
        for name, kind in outputs.items():
            if name not in seen:
                fields.append((2, message((1, name), (2, json.dumps(kind)), (6, 1))))
        return message(*fields)

    def schema(self):
        outputs = {} if "provider" in self.main.lower() else self.outputs(self.main)
        return message((2, self.block(None, f"{self.main}Config", outputs)))


def response(package):
    """GetProviderSchema.Response"""
    fields = []
    for folder in sorted(Path(package, "lib").iterdir()):
        module = Module(folder)
        kind = module.kind.group(1)
        if kind == "aws":
            fields.append((1, module.schema()))
        else:
            number = 3 if folder.name.startswith("data-aws-") else 2
            fields.append((number, message((1, kind.removeprefix("data_")), (2, module.schema()))))
    return message(*fields)


def main():
    package, socket = sys.argv[1:]
    schema = response(package)
    answers = {
        "/tfplugin5.Provider/GetSchema": lambda request, _: schema,
        # request and response are the same message in both
        "/tfplugin5.Provider/PrepareProviderConfig": lambda request, _: request,
        "/tfplugin5.Provider/ValidateResourceTypeConfig": lambda request, _: b"",
        "/tfplugin5.Provider/ValidateDataSourceConfig": lambda request, _: b"",
        "/tfplugin5.Provider/Stop": lambda request, _: b"",
    }

    class Provider(grpc.GenericRpcHandler):
        def service(self, call):
            answer = answers.get(call.method)
            return answer and grpc.unary_unary_rpc_method_handler(answer)

    server = grpc.server(futures.ThreadPoolExecutor(4), handlers=[Provider()])
    server.add_insecure_port(f"unix:{socket}")
    server.start()
    server.wait_for_termination()


main()

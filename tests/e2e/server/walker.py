# SPDX-License-Identifier: Apache-2.0
"""Holds every answer against the client's own published model: no member that the model does not know, none missing
that it requires, enums only with its own words, times as numbers; and remembers what was never sent."""
import datetime
import json
import xml.etree.ElementTree

# Required by the model also where there is nothing to say: AWS leaves them out on success, and so do we.
NOT_SENT_ON_SUCCESS = {("State", "errorCode"), ("State", "errorMessage")}


def tag_of(element):
    return element.tag.rpartition("}")[2]


def read_boolean(text):
    return {"true": True, "false": False}.get(text, text)


def read_time(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


class Walker:
    """Register with watch(client); judge() at the end."""

    def __init__(self):
        self.problems = []
        self.sent = {}      # operation -> paths of members that came
        self.known = {}     # operation -> paths of members that the model has
        self.lists = {}     # (operation, path) -> was it ever non-empty
        self.operations = set()

    def watch(self, client):
        client.meta.events.register("before-parse", self.on_answer)
        return client

    def on_answer(self, operation_model, response_dict, **_):
        body = response_dict["body"]
        protocol = operation_model.metadata.get("protocol", "")
        if response_dict["status_code"] != 200:
            return
        name = f"{operation_model.service_model.service_name}.{operation_model.name}"
        self.operations.add(name)
        shape = operation_model.output_shape
        if protocol in ("ec2", "query"):
            value = self.from_answer(name, operation_model, body)
        else:
            value = json.loads(body) if body.strip() else {}
        if shape is None:
            if value:
                self.problems.append(f"{name}: has no output, and sent {sorted(value)}")
            return
        if name not in self.known:
            self.known[name] = set()
            self.list_members(shape, "", self.known[name], ())
        self.walk(name, shape, value, "")

    # -- XML --
    def from_answer(self, name, operation_model, body):
        root = xml.etree.ElementTree.fromstring(body)
        shape = operation_model.output_shape
        if tag_of(root) != operation_model.name + "Response":
            self.fail(name, "", f"the answer is called {tag_of(root)}")
        wrapper = shape and shape.serialization.get("resultWrapper")
        if wrapper:
            inner = [child for child in root if tag_of(child) == wrapper]
            return self.from_xml(name, shape, inner[0], "") if inner else {}
        rest = [child for child in root if tag_of(child) not in ("requestId", "return", "ResponseMetadata")]
        root[:] = rest
        return self.from_xml(name, shape, root, "") if shape else {tag_of(child): 1 for child in rest}

    def from_xml(self, name, shape, element, path):
        """What an element holds, as JSON would have it, so that the same walk judges it."""
        if shape.type_name == "structure":
            known = {member.serialization.get("name", key): (key, member) for key, member in shape.members.items()}
            value = {}
            for child in element:
                if tag_of(child) not in known:
                    self.fail(name, path, f"the model has no element {tag_of(child)}")
                    continue
                key, member = known[tag_of(child)]
                value[key] = self.from_xml(name, member, child, f"{path}.{key}")
            return value
        if shape.type_name == "list":
            return [self.from_xml(name, shape.member, child, path + "[]") for child in element]
        text = element.text or ""
        try:
            return {"integer": int, "long": int, "double": float, "float": float, "boolean": read_boolean,
                    "timestamp": read_time}.get(shape.type_name, str)(text)
        except ValueError:
            return text

    def list_members(self, shape, path, out, above):
        if shape.type_name == "structure" and shape.name not in above:
            for key, member in shape.members.items():
                out.add(f"{path}.{key}")
                self.list_members(member, f"{path}.{key}", out, above + (shape.name,))
        elif shape.type_name == "list":
            self.list_members(shape.member, path + "[]", out, above)
        elif shape.type_name == "map":
            self.list_members(shape.value, path + "{}", out, above)

    def fail(self, name, path, text):
        self.problems.append(f"{name}{path}: {text}")

    def walk(self, name, shape, value, path):
        check = getattr(self, "walk_" + shape.type_name, None)
        if check:
            check(name, shape, value, path)
        elif shape.type_name in ("integer", "long") and (not isinstance(value, int) or isinstance(value, bool)):
            self.fail(name, path, f"{value!r} is no integer")
        elif shape.type_name in ("double", "float", "timestamp") and not isinstance(value, (int, float)):
            self.fail(name, path, f"{value!r} is no number")
        elif shape.type_name == "boolean" and not isinstance(value, bool):
            self.fail(name, path, f"{value!r} is neither true nor false")

    def walk_structure(self, name, shape, value, path):
        if not isinstance(value, dict):
            self.fail(name, path, f"{value!r} is no object")
            return
        for key in value:
            if key not in shape.members:
                self.fail(name, path, f"the model has no member {key}")
        for key in shape.required_members:
            if key not in value and (shape.name, key) not in NOT_SENT_ON_SUCCESS:
                self.fail(name, path, f"{key} is required")
        for key, member in shape.members.items():
            if key in value:
                self.sent.setdefault(name, set()).add(f"{path}.{key}")
                self.walk(name, member, value[key], f"{path}.{key}")

    def walk_list(self, name, shape, value, path):
        if not isinstance(value, list):
            self.fail(name, path, f"{value!r} is no list")
            return
        self.lists[(name, path)] = self.lists.get((name, path), False) or bool(value)
        for item in value:
            self.walk(name, shape.member, item, path + "[]")

    def walk_map(self, name, shape, value, path):
        if not isinstance(value, dict):
            self.fail(name, path, f"{value!r} is no map")
            return
        for item in value.values():
            self.walk(name, shape.value, item, path + "{}")

    def walk_string(self, name, shape, value, path):
        if not isinstance(value, str):
            self.fail(name, path, f"{value!r} is no string")
        elif getattr(shape, "enum", None) and value not in shape.enum:
            self.fail(name, path, f"{value!r} is none of the model's words")

    def judge(self, may_be_empty=()):
        """Every problem, and every list that never had an element; members never sent are printed."""
        for name in sorted(self.known):
            missing = sorted(self.known[name] - self.sent.get(name, set()))
            top = [path for path in missing if not any(path.startswith(other + ".") or path.startswith(other + "[")
                                                       or path.startswith(other + "{") for other in missing
                                                       if other != path)]
            if top:
                print(f"never sent: {name}: {' '.join(path.lstrip('.') for path in top)}")
        empty = [f"{name}{path}: the list was always empty" for (name, path), full in sorted(self.lists.items())
                 if not full and (name, path) not in may_be_empty]
        found = sorted(set(self.problems)) + empty
        assert not found, "\n".join(found)

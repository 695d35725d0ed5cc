"""compose/make-sbom: what it writes has the shape of CycloneDX 1.5, names all that its input names, and refuses the rest."""
import json
import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
MAKE = ROOT / "compose/make-sbom"
# Of CycloneDX 1.5's schema: the types of components.
TYPES = {
    "application", "framework", "library", "container", "platform", "operating-system", "device", "device-driver",
    "firmware", "file", "machine-learning-model", "data",
}
PURL = re.compile(r"pkg:[a-z]+/[A-Za-z0-9._~%/+-]+(@[A-Za-z0-9._~%-]+)?(\?arch=[a-z0-9-]+)?")
RESOLVED = {
    "pins": [
        {"identity": "swift-nio", "kind": "remoteSourceControl", "location": "https://github.com/apple/swift-nio.git",
         "state": {"revision": "a" * 40, "version": "2.80.0"}},
        {"identity": "yams", "kind": "remoteSourceControl", "location": "https://github.com/jpsim/Yams",
         "state": {"revision": "b" * 40, "version": "6.0.1"}},
        {"identity": "by-branch", "kind": "remoteSourceControl", "location": "https://example.org/a/by-branch",
         "state": {"branch": "main", "revision": "c" * 40}},
    ],
    "version": 3,
}  # fmt: skip
TREE = {
    "identity": "errata", "name": "errata", "url": "/src", "version": "unspecified", "path": "/src",
    "dependencies": [
        {"identity": "hummingbird", "name": "hummingbird", "url": "https://github.com/hummingbird-project/hummingbird",
         "version": "2.10.0", "path": "/nowhere/hummingbird", "dependencies": [
             {"identity": "swift-nio", "name": "swift-nio", "url": "https://github.com/apple/swift-nio.git",
              "version": "2.80.0", "path": "/nowhere/swift-nio", "dependencies": []}]},
        {"identity": "swift-nio", "name": "swift-nio", "url": "https://github.com/apple/swift-nio.git",
         "version": "2.80.0", "path": "/nowhere/swift-nio", "dependencies": []},
    ],
}  # fmt: skip
INSTALLED = {"ca-certificates", "libopenblas0-pthread", "libpq5", "librdkafka1", "libssl3", "libstdc++6"}
DPKG = "".join(f"{name}\t1:2.0~rc1+dfsg-3\tamd64\n" for name in sorted(INSTALLED | {"libc6", "dash"}))


def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess:
    inherited = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
    return subprocess.run([MAKE, *map(str, arguments)], capture_output=True, text=True, env=inherited | environment)


def written(path: pathlib.Path, content: object) -> pathlib.Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def made(*arguments: object, **environment: str) -> dict:
    result = run(*arguments, **environment)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def faults(bom: dict) -> list[str]:
    """What of CycloneDX 1.5's required shape the bill does not keep to."""
    found = []
    if bom.get("bomFormat") != "CycloneDX" or bom.get("specVersion") != "1.5" or bom.get("version") != 1:
        found.append("the head")
    if not re.fullmatch(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", bom.get("serialNumber", "")):
        found.append("the serial number")
    parts = [bom.get("metadata", {}).get("component", {}), *bom.get("components", [])]
    references = [part.get("bom-ref") for part in parts]
    if len(set(references)) != len(references) or None in references:
        found.append("references that are missing or stand twice")
    for part in parts:
        name = part.get("bom-ref")
        if part.get("type") not in TYPES or not part.get("name"):
            found.append(f"{name}: type and name")
        if "purl" in part and not PURL.fullmatch(part["purl"]):
            found.append(f"{name}: purl {part['purl']}")
        for choice in part.get("licenses", []):
            license = choice.get("license", {})
            if ("expression" in choice) == ("license" in choice) or "license" in choice and "id" not in license:
                found.append(f"{name}: licence")
        for place in part.get("externalReferences", []):
            if place.get("type") != "vcs" or not place.get("url", "").startswith("https://"):
                found.append(f"{name}: address")
        unknown = set(part) - {
            "type", "bom-ref", "name", "version", "purl", "licenses", "externalReferences", "properties", "description",
        }  # fmt: skip
        if unknown:
            found.append(f"{name}: {unknown}")
    edges = bom.get("dependencies", [])
    if len({edge["ref"] for edge in edges}) != len(edges):
        found.append("dependencies that stand twice")
    for edge in edges:
        for reference in [edge["ref"], *edge["dependsOn"]]:
            if reference not in references:
                found.append(f"dependency on {reference}, which is not listed")
    return found


def component(bom: dict, name: str) -> dict:
    return next(part for part in bom["components"] if part["name"] == name)


def test_pinned_packages_are_listed_with_version_purl_and_licence(tmp_path):
    for name, text in [("swift-nio", "Apache License\n  Version 2.0, January 2004"),
                       ("Yams", "The MIT License\n\nPermission is hereby granted, free of\ncharge, to any person")]:
        (tmp_path / name).mkdir()
        (tmp_path / name / "LICENSE.txt").write_text(text)
    bom = made("--resolved", written(tmp_path / "Package.resolved", RESOLVED), "--checkouts", tmp_path)
    assert faults(bom) == []
    nio = component(bom, "swift-nio")
    assert nio["purl"] == "pkg:swift/github.com/apple/swift-nio@2.80.0" and nio["version"] == "2.80.0"
    assert nio["licenses"] == [{"license": {"id": "Apache-2.0"}}]
    assert nio["properties"] == [{"name": "errata:revision", "value": "a" * 40}]
    assert component(bom, "yams")["licenses"] == [{"license": {"id": "MIT"}}]
    # A pin of a branch has no version but its revision; without a checkout no licence is known.
    assert component(bom, "by-branch")["version"] == "c" * 40 and "licenses" not in component(bom, "by-branch")
    assert INSTALLED < {part["name"] for part in bom["components"]}
    assert {"swift", "debian"} < {part["name"] for part in bom["components"]}


def test_a_tree_of_dependencies_says_which_package_needs_which(tmp_path):
    bom = made("--dependencies", written(tmp_path / "tree.json", TREE), "--checkouts", tmp_path)
    assert faults(bom) == []
    edges = {edge["ref"]: edge["dependsOn"] for edge in bom["dependencies"]}
    hummingbird = "pkg:swift/github.com/hummingbird-project/hummingbird@2.10.0"
    assert edges[hummingbird] == ["pkg:swift/github.com/apple/swift-nio@2.80.0"]
    own = bom["metadata"]["component"]["bom-ref"]
    assert hummingbird in edges[own] and len([part for part in bom["components"] if part["name"] == "swift-nio"]) == 1


def test_with_the_images_packages_all_of_them_have_versions(tmp_path):
    bom = made("--resolved", written(tmp_path / "Package.resolved", RESOLVED), "--checkouts", tmp_path,
               "--dpkg", written(tmp_path / "dpkg", DPKG))
    assert faults(bom) == []
    assert component(bom, "libstdc++6")["purl"] == "pkg:deb/debian/libstdc%2B%2B6@1%3A2.0~rc1%2Bdfsg-3?arch=amd64"
    assert component(bom, "libc6")["version"] == "1:2.0~rc1+dfsg-3"


def test_the_same_input_gives_the_same_bytes_and_another_time_another_number(tmp_path):
    arguments = ("--resolved", written(tmp_path / "Package.resolved", RESOLVED), "--checkouts", tmp_path)
    assert run(*arguments).stdout == run(*arguments).stdout
    first, second = made(*arguments), made(*arguments, SOURCE_DATE_EPOCH="1700000000")
    assert "timestamp" not in first["metadata"] and second["metadata"]["timestamp"] == "2023-11-14T22:13:20Z"
    assert first["serialNumber"] != second["serialNumber"]


def test_this_checkouts_own_packages_are_listed(tmp_path):
    resolved = ROOT / "Package.resolved"
    # The build that runs before these tests leaves it.
    assert resolved.is_file(), "Package.resolved is missing: run swift package resolve"
    bom = made("--resolved", resolved)
    assert faults(bom) == []
    names = {part["name"] for part in bom["components"]}
    wanted = re.findall(r'\.package\(url: "[^"]*/([^"/]+)"', (ROOT / "Package.swift").read_text())
    assert wanted and {name.lower() for name in wanted} <= names


def refused(*arguments: object, **environment: str) -> str:
    result = run(*arguments, **environment)
    assert result.returncode == 1 and result.stdout == "" and "Traceback" not in result.stderr, result.stderr
    return result.stderr


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pins": 1}', '{"pins": [{}]}', '{"pins": [{"identity": "a"}]}', "[" * 9999])
def test_what_pins_nothing_is_refused_with_the_cure(tmp_path, content):
    file = written(tmp_path / "Package.resolved", content)
    message = refused("--resolved", file)
    assert str(file) in message and "swift package resolve" in message


@pytest.mark.parametrize("content", ["{}", '{"dependencies": [1]}', '{"dependencies": [{"identity": "a"}]}'])
def test_what_is_no_tree_is_refused_with_the_cure(tmp_path, content):
    assert "swift package show-dependencies" in refused("--dependencies", written(tmp_path / "tree", content))


def test_a_missing_file_a_local_package_and_packages_of_another_image_are_refused(tmp_path):
    assert "is not there" in refused("--resolved", tmp_path / "none")
    local = {"pins": [RESOLVED["pins"][0] | {"location": "/home/me/swift-nio"}]}
    assert "no purl" in refused("--resolved", written(tmp_path / "local", local))
    good = written(tmp_path / "good", RESOLVED)
    assert "lacks libpq5" in refused("--resolved", good, "--dpkg", written(tmp_path / "dpkg", DPKG.replace("libpq5", "x")))
    assert ":1:" in refused("--resolved", good, "--dpkg", written(tmp_path / "bad", "libpq5 15\n"))
    assert "SOURCE_DATE_EPOCH" in refused("--resolved", good, SOURCE_DATE_EPOCH="now")


@pytest.mark.parametrize("change, fault", [
    (lambda bom: bom.update(specVersion="1.4"), "the head"),
    (lambda bom: bom["components"].append(bom["components"][0]), "stand twice"),
    (lambda bom: bom["components"][0].update(type="package"), "type and name"),
    (lambda bom: bom["components"][0].update(purl="pkg:deb/a b"), "purl"),
    (lambda bom: bom["components"][0].update(licenses=[{"license": {"name": "x"}}]), "licence"),
    (lambda bom: bom["dependencies"][0]["dependsOn"].append("pkg:deb/none"), "not listed"),
    (lambda bom: bom.pop("serialNumber"), "serial"),
])  # fmt: skip
def test_a_planted_fault_of_the_shape_is_seen(tmp_path, change, fault):
    bom = made("--resolved", written(tmp_path / "Package.resolved", RESOLVED), "--checkouts", tmp_path)
    change(bom)
    assert any(fault in found for found in faults(bom)), faults(bom)

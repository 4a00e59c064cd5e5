"""The texts that lie beside an archive."""

from collections.abc import Iterator

from pgproof.domain.archive import CHECKSUMS, INSTRUCTIONS, MANIFEST
from pgproof.domain.manifest import Manifest
from pgproof.services import contents, instructions
from pgproof.services.measured import Measured


def texts_beside(manifest: Manifest) -> Iterator[tuple[str, str]]:
    """Names and texts in the order in which they are stored: the manifest last, since it makes the folder a backup."""
    guide, listing = instructions.render(manifest), manifest.render()
    sums = {item.name: item.sha256 for item in manifest.objects}
    for name, text in ((INSTRUCTIONS, guide), (MANIFEST, listing)):
        sums[name] = Measured([text.encode()]).drain().sha256
    yield INSTRUCTIONS, guide
    yield CHECKSUMS, contents.render_checksums(sums)
    yield MANIFEST, listing

"""Upload packages by twine: one is taken, one is there already, and for one the index is busy at first."""

import sys
import zipfile
from pathlib import Path

from mounted import adapter
from twine.commands.upload import skip_upload
from twine.package import PackageFile
from twine.settings import Settings

url = sys.argv[1]
ABOUT = "Metadata-Version: 2.1\nName: {}\nVersion: 1.0\nSummary: å\nClassifier: A\nClassifier: B\n\nIt is.\n"


def wheel(name: str) -> PackageFile:
    """Make a wheel of 300 KB, the same each time."""
    path = Path(f"{name}-1.0-py3-none-any.whl")
    with zipfile.ZipFile(path, "w") as file:
        for inside, data in (
            ("METADATA", ABOUT.format(name)),
            ("WHEEL", "Wheel-Version: 1.0\n"),
            ("RECORD", ""),
        ):
            file.writestr(zipfile.ZipInfo(f"{name}-1.0.dist-info/{inside}"), data)
        file.writestr(zipfile.ZipInfo(f"{name}.py"), "pass\n" * 60_000)
    return PackageFile.from_filename(str(path), comment=None)


def upload(name: str, **options: str) -> None:
    """Upload a wheel."""
    settings = Settings(repository_url=f"{url}/legacy/", disable_progress_bar=True, **options)
    repository = settings.create_repository()
    repository.session.mount("https://", adapter(max_retries=repository.session.get_adapter(url).max_retries))
    package = wheel(name)
    response = repository.upload(package)
    print(response.status_code, response.reason, response.text, skip_upload(response, True, package))
    print(response.is_redirect, response.headers.get("Location"))
    repository.close()


for name in ("fresh", "there", "busy", "moved"):
    upload(name, username="me", password="secret")
upload("fresh", username="me", password="wrong")

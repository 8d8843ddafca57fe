"""trust.py: which authorities a context trusts, and which contexts are left alone."""

import os
import ssl
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import certifi
import pytest
import trustme

import hyperlite
from hyperlite.net import trust
from hyperlite.net.trust import create_context, default_context, make_context, unshared_context
from hyperlite.testing.certificates import certificates
from hyperlite.testing.server import Server
from tests.conftest import ROUTES
from tests.inside import forget_default_contexts

MAKERS = [create_context, default_context, unshared_context, lambda: make_context(verify=True, cert=None)]
PEM_NAMES = ["CERTIFICATE", "TRUSTED CERTIFICATE", "X509 CERTIFICATE"]


@pytest.fixture(autouse=True)
def _forget(monkeypatch: pytest.MonkeyPatch) -> None:
    forget_default_contexts(monkeypatch)


@pytest.fixture(params=MAKERS, ids=["create_context", "default_context", "unshared_context", "make_context"])
def make(request: pytest.FixtureRequest) -> Callable[[], ssl.SSLContext]:
    return request.param


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority of one's own."""
    return authority(tmp_path_factory.mktemp("private"))


@pytest.fixture
def public(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The one authority that is in certifi's bundle."""
    path = authority(tmp_path)
    monkeypatch.setattr(certifi, "where", lambda: str(path))
    return path


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[types.SimpleNamespace]:
    """The paths that OpenSSL was compiled with: nothing is there."""
    paths = types.SimpleNamespace(file=tmp_path / "etc.pem", directory=tmp_path / "etc")
    usual = ssl.get_default_verify_paths()
    for variable in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(variable, raising=False)

    def load(context: ssl.SSLContext) -> None:
        if paths.file.is_file() and "-BEGIN " in paths.file.read_text():
            context.load_verify_locations(paths.file)
        if paths.directory.is_dir():
            context.load_verify_locations(capath=paths.directory)

    monkeypatch.setattr(ssl.SSLContext, "set_default_verify_paths", load, raising=False)
    monkeypatch.setattr(
        ssl,
        "get_default_verify_paths",
        lambda: usual._replace(openssl_cafile=str(paths.file), openssl_capath=str(paths.directory)),
    )
    return paths


def authority(directory: Path) -> Path:
    path = directory / "ca.pem"
    trustme.CA().cert_pem.write_to_path(path)
    return path


def trusted(context: ssl.SSLContext) -> set[bytes]:
    return set(context.get_ca_certs(binary_form=True))


def der(path: Path) -> set[bytes]:
    return {ssl.PEM_cert_to_DER_cert(path.read_text())}


class TestCertifi:
    """certifi's authorities are trusted where nothing else names any."""

    def test_a_system_without_authorities(self, make: Any, system: Any, public: Path) -> None:
        assert trusted(make()) == der(public)

    @pytest.mark.parametrize("name", PEM_NAMES)
    def test_the_systems_file(self, make: Any, system: Any, public: Path, private: Path, name: str) -> None:
        system.file.write_text(private.read_text().replace(" CERTIFICATE-", f" {name}-"))
        assert trusted(make()) == der(private)

    @pytest.mark.parametrize("text", ["", "# nothing here\n", "-----BEGIN X509 CRL-----\n"])
    def test_a_file_without_a_certificate(
        self, make: Any, system: Any, public: Path, monkeypatch: pytest.MonkeyPatch, text: str
    ) -> None:
        monkeypatch.setattr(ssl.SSLContext, "set_default_verify_paths", lambda _: None)
        system.file.write_text(text)
        assert trusted(make()) == der(public)

    def test_the_systems_directory(self, make: Any, system: Any, public: Path, private: Path) -> None:
        """No statistics tell of it: what is in a directory is loaded when it is needed."""
        system.directory.mkdir()
        (system.directory / "0a1b2c3d.0").symlink_to(private)
        assert trusted(make()) == set()

    @pytest.mark.parametrize("name", ["ca.pem", "0a1b2c3d.r0", "0a1b2c3d", "0A1B2C3D.0", "00a1b2c3d.0"])
    def test_a_directory_where_no_authority_is_found(
        self, make: Any, system: Any, public: Path, private: Path, name: str
    ) -> None:
        system.directory.mkdir()
        (system.directory / name).symlink_to(private)
        (system.directory / "1a1b2c3d.0").symlink_to(system.directory / "missing")
        (system.directory / "2a1b2c3d.0").mkdir()
        assert trusted(make()) == der(public)

    @pytest.mark.parametrize("name", ["file", "directory"])
    @pytest.mark.parametrize("hidden", [False, True])
    def test_what_cannot_be_looked_into_may_hold_one(
        self,
        make: Any,
        system: Any,
        public: Path,
        private: Path,
        monkeypatch: pytest.MonkeyPatch,
        name: str,
        hidden: bool,
    ) -> None:
        """OpenSSL reads files of a directory that this process may not list."""
        monkeypatch.setattr(ssl.SSLContext, "set_default_verify_paths", lambda _: None)
        path = getattr(system, name)
        if not hidden:
            path.symlink_to(path)  # for ever
        elif os.geteuid() == 0:
            pytest.skip("nothing is hidden from root")
        elif name == "file":
            path.write_bytes(private.read_bytes())
            path.chmod(0)
        else:
            path.mkdir(0o300)
            (path / "0a1b2c3d.0").symlink_to(private)
        assert trusted(make()) == set()

    def test_authorities_from_elsewhere(
        self, make: Any, system: Any, public: Path, private: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """On Windows, from its store."""

        def load(context: ssl.SSLContext) -> None:
            context.load_verify_locations(private)

        monkeypatch.setattr(ssl.SSLContext, "set_default_verify_paths", load)
        assert trusted(make()) == der(private)

    @pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
    @pytest.mark.parametrize("kind", ["one", "none", "empty"])
    def test_the_environment(
        self,
        make: Any,
        system: Any,
        public: Path,
        private: Path,
        monkeypatch: pytest.MonkeyPatch,
        variable: str,
        kind: str,
    ) -> None:
        named = {"one": str(private), "none": str(private) + ".missing", "empty": ""}[kind]
        monkeypatch.setenv(variable, named)
        assert trusted(make()) == set()  # `system` does not read the variables, as OpenSSL does

    def test_another_kind_of_context_decides_for_itself(self, system: Any, public: Path) -> None:
        """As truststore's, which asks the operating system."""

        class Delegating(ssl.SSLContext):
            def load_default_certs(self, purpose: Any = None) -> None:
                pass

        context = Delegating(ssl.PROTOCOL_TLS_CLIENT)
        trust._provide_authorities(context)
        assert trusted(context) == set()

    def test_a_connection_does_not_take_what_the_environment_excludes(
        self, private: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The server's authority is in certifi's bundle, and SSL_CERT_FILE names another."""
        monkeypatch.setattr(certifi, "where", lambda: certificates().ca_file)
        monkeypatch.setenv("SSL_CERT_FILE", str(private))
        monkeypatch.setenv("SSL_CERT_DIR", "")
        with (
            Server(ROUTES) as server,
            hyperlite.HTTP20Connection("localhost", server.port, timeout=10) as conn,
            pytest.raises(ssl.SSLCertVerificationError),
        ):
            conn.request("GET", "/")


class TestReplacedHook:
    """A program that replaces ssl._create_default_https_context gets what the hook returns."""

    @pytest.fixture
    def held(self, private: Path, monkeypatch: pytest.MonkeyPatch, public: Path) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=private)
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        monkeypatch.setattr(ssl, "_create_default_https_context", lambda: context)
        return context

    @pytest.mark.parametrize("get", [default_context, unshared_context])
    def test_its_object_is_used_and_not_changed(
        self, system: Any, held: Any, private: Path, get: Any
    ) -> None:
        before = settings(held)
        assert get() is held
        assert settings(held) == before
        assert trusted(held) == der(private)

    def test_certifi_is_not_trusted_by_a_new_context_either(self, system: Any, held: ssl.SSLContext) -> None:
        assert trusted(create_context()) == set()

    def test_a_context_of_its_own_is_not_changed_either(
        self, system: Any, public: Path, private: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made = []

        def hook() -> ssl.SSLContext:
            made.append(ssl.create_default_context(cafile=private))
            return made[-1]

        monkeypatch.setattr(ssl, "_create_default_https_context", hook)
        before = settings(hook())
        assert settings(default_context()) == before
        assert trusted(made[-1]) == der(private)

    def test_a_client_certificate_is_not_put_into_a_shared_object(self, held: ssl.SSLContext) -> None:
        cert = certificates().cert_file, certificates().key_file
        with pytest.raises(ValueError, match="pass context="):
            make_context(verify=True, cert=cert)

    def test_a_client_certificate_goes_into_a_context_of_its_own(
        self, private: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        hook = lambda: ssl.create_default_context(cafile=private)  # noqa: E731
        monkeypatch.setattr(ssl, "_create_default_https_context", hook)
        context = make_context(verify=True, cert=(certificates().cert_file, certificates().key_file))
        assert trusted(context) == der(private)
        assert context is not default_context()

    def test_one_without_verification(
        self, system: Any, public: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As PEP 476 documents it: the way to switch verification off for a whole program."""
        verifying = default_context()
        monkeypatch.setattr(ssl, "_create_default_https_context", ssl._create_unverified_context)
        context = default_context()
        assert context is not verifying
        assert context.verify_mode is ssl.CERT_NONE
        assert trusted(context) == set()
        assert context.post_handshake_auth is True  # it is Python's own, and nothing else has it

    def test_one_that_is_put_back(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(ssl, "_create_default_https_context", ssl._create_unverified_context)
            default_context()
        assert default_context().verify_mode is ssl.CERT_REQUIRED

    def test_pythons_own_by_another_name(
        self, system: Any, public: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(ssl, "_create_default_https_context", ssl.create_default_context)
        monkeypatch.setattr(ssl, "create_default_context", lambda: None)
        assert trusted(default_context()) == der(public)


def settings(context: ssl.SSLContext) -> dict[str, Any]:
    names = (
        "check_hostname",
        "hostname_checks_common_name",
        "keylog_filename",
        "maximum_version",
        "minimum_version",
        "options",
        "post_handshake_auth",
        "sslsocket_class",
        "verify_flags",
        "verify_mode",
    )
    return {name: getattr(context, name) for name in names}


def lax(*_args: object, **_options: object) -> ssl.SSLContext:
    """Make a context that takes any version of TLS, as on a system without a policy."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    return context


class TestDefaultContext:
    def test_it_verifies(self) -> None:
        context = default_context()
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.check_hostname

    def test_it_is_loaded_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        calls = []
        factory = ssl._create_default_https_context
        monkeypatch.setattr(ssl, "_create_default_https_context", lambda: (calls.append(1), factory())[1])
        assert default_context() is default_context()
        assert calls == [1]

    def test_a_thread_changes_the_environment_meanwhile(
        self, private: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """And back again, as within a block: what is kept is no block's."""
        other = certificates().ca_file
        monkeypatch.setenv("SSL_CERT_DIR", "")
        monkeypatch.setenv("SSL_CERT_FILE", str(private))
        load, changes = ssl.SSLContext.set_default_verify_paths, [other]

        def change(context: ssl.SSLContext) -> None:
            if changes:
                monkeypatch.setenv("SSL_CERT_FILE", changes.pop())
            load(context)

        monkeypatch.setattr(ssl.SSLContext, "set_default_verify_paths", change, raising=False)
        assert trusted(default_context()) == der(Path(other))
        monkeypatch.setenv("SSL_CERT_FILE", str(private))
        assert trusted(default_context()) == der(private)

    def test_a_thread_changes_the_hook_meanwhile(self, monkeypatch: pytest.MonkeyPatch) -> None:
        before = ssl._create_default_https_context

        class Environment(dict[str, str]):
            """Which is looked at after the hook."""

            def get(self, name: str, default: Any = None) -> Any:
                monkeypatch.setattr(ssl, "_create_default_https_context", ssl._create_unverified_context)
                return super().get(name, default)

        with monkeypatch.context() as patch:
            patch.setattr(trust.os, "environ", Environment())
            default_context()
        monkeypatch.setattr(ssl, "_create_default_https_context", before)
        monkeypatch.setattr(trust.os, "environ", {})
        assert default_context().verify_mode is ssl.CERT_REQUIRED

    def test_it_needs_tls_1_2(self, monkeypatch: pytest.MonkeyPatch) -> None:
        hook = types.FunctionType(lax_within_ssl.__code__, vars(ssl))
        monkeypatch.setattr(ssl, "_create_default_https_context", hook)
        assert default_context().minimum_version is ssl.TLSVersion.TLSv1_2

    def test_a_stricter_system_keeps_its_minimum(self, monkeypatch: pytest.MonkeyPatch) -> None:
        hook = types.FunctionType(strict_within_ssl.__code__, vars(ssl))
        monkeypatch.setattr(ssl, "_create_default_https_context", hook)
        assert default_context().minimum_version is ssl.TLSVersion.TLSv1_3

    def test_ssl_cert_file_is_honoured(self, monkeypatch: pytest.MonkeyPatch) -> None:
        before = default_context()
        monkeypatch.setenv("SSL_CERT_FILE", certificates().ca_file)
        assert default_context() is not before
        with (
            Server(ROUTES) as server,
            hyperlite.HTTP20Connection("localhost", server.port, timeout=10) as conn,
        ):
            assert conn.getresponse(conn.request("GET", "/")).read() == b"hello"

    def test_http_1_1_servers_may_ask_for_a_certificate_late(self) -> None:
        assert default_context().post_handshake_auth is True


# These run with ssl.py's names, as its own functions do.


def lax_within_ssl() -> ssl.SSLContext:
    context = SSLContext(PROTOCOL_TLS_CLIENT)  # type: ignore[name-defined]  # noqa: F821
    context.minimum_version = TLSVersion.MINIMUM_SUPPORTED  # type: ignore[name-defined]  # noqa: F821
    return context


def strict_within_ssl() -> ssl.SSLContext:
    context = SSLContext(PROTOCOL_TLS_CLIENT)  # type: ignore[name-defined]  # noqa: F821
    context.minimum_version = TLSVersion.TLSv1_3  # type: ignore[name-defined]  # noqa: F821
    return context


class TestCreateContext:
    def test_it_is_new_each_time(self) -> None:
        assert create_context() is not create_context()

    def test_it_verifies(self) -> None:
        context = create_context()
        assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)

    @pytest.mark.parametrize("arguments", [{}, {"cafile": "ca.pem"}])
    def test_it_needs_tls_1_2(self, monkeypatch: pytest.MonkeyPatch, arguments: dict[str, str]) -> None:
        monkeypatch.setattr(ssl, "create_default_context", lax)
        assert create_context(**arguments).minimum_version is ssl.TLSVersion.TLSv1_2

    @pytest.mark.parametrize("form", ["cafile", "cadata"])
    def test_with_an_authority_it_trusts_no_other(
        self, system: Any, public: Path, private: Path, form: str
    ) -> None:
        context = create_context(**{form: private if form == "cafile" else private.read_text()})
        assert trusted(context) == der(private)
        assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
        assert context.minimum_version >= ssl.TLSVersion.TLSv1_2

    def test_certifi_by_name(self, private: Path, public: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(private))
        assert trusted(create_context(cafile=certifi.where())) == der(public)

    @pytest.mark.parametrize("arguments", [{"cafile": ""}, {"capath": ""}, {"cadata": ""}, {"cadata": b""}])
    def test_nothing_is_not_everything(self, arguments: dict[str, Any]) -> None:
        """ssl.create_default_context() takes it for the system's authorities."""
        with pytest.raises(ValueError, match="is empty"):
            create_context(**arguments)


class TestAPoolsVerify:
    """`verify=` as requests has it."""

    def test_a_file(self, system: Any, public: Path, private: Path) -> None:
        assert trusted(make_context(str(private), None)) == der(private)

    def test_a_directory(self, system: Any, public: Path, private: Path) -> None:
        assert trusted(make_context(str(private.parent), None)) == set()

    def test_an_empty_name(self) -> None:
        with pytest.raises(ValueError, match="is empty"):
            hyperlite.ConnectionPool(verify="")

    def test_false(self, monkeypatch: pytest.MonkeyPatch) -> None:
        context = make_context(verify=False, cert=None)
        assert (context.verify_mode, context.check_hostname) == (ssl.CERT_NONE, False)
        assert context.minimum_version >= ssl.TLSVersion.TLSv1_2

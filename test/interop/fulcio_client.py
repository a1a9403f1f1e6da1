"""Asks an instance for a certificate with sigstore-python's own classes, and prints the subject names of the chain."""

import sys
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sigstore._internal.fulcio.client import FulcioClient, FulcioClientError
from sigstore._internal.sct import verify_sct
from sigstore._internal.trust import KeyringPurpose
from sigstore.models import TrustedRoot
from sigstore.oidc import IdentityToken

url, token_file, root_file = sys.argv[1:]
token = IdentityToken(Path(token_file).read_text(), "sigstore")
key = ec.generate_private_key(ec.SECP256R1())
request = (
    x509.CertificateSigningRequestBuilder()
    .subject_name(x509.Name([x509.NameAttribute(NameOID.EMAIL_ADDRESS, "someone-else@example.com")]))
    .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    .sign(key, hashes.SHA256())
)
try:
    answer = FulcioClient(url).signing_cert.post(request, token)
except FulcioClientError as error:
    sys.exit(f"refused: {error} / {error.__cause__}")

assert answer.cert.public_key() == key.public_key()
verify_sct(answer.cert, answer.chain, TrustedRoot.from_file(root_file).ct_keyring(KeyringPurpose.SIGN))
names = answer.cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
print("names:", names.get_values_for_type(x509.RFC822Name))
print("chain:", len(answer.chain))
bundle = FulcioClient(url).trust_bundle.get().trust_bundle
print("bundle:", bundle == [answer.chain])

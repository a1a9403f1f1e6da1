"""Reads a PEP 740 attestation with PyPI's own library and compares it with what that makes of the same bundle."""

import sys
from pathlib import Path

from pypi_attestations import Attestation, Distribution
from sigstore.models import Bundle

attestation_file, bundle_file, distribution_file = map(Path, sys.argv[1:])
attestation = Attestation.model_validate_json(attestation_file.read_bytes())
converted = Attestation.from_bundle(Bundle.from_json(bundle_file.read_bytes()))
distribution = Distribution.from_file(distribution_file)
subject = attestation.statement["subject"][0]
print("type:", attestation.statement["predicateType"])
print("subject:", subject["name"] == distribution.name and subject["digest"]["sha256"] == distribution.digest)
print("envelope:", attestation.envelope == converted.envelope)
print(
    "certificate:",
    attestation.verification_material.certificate == converted.verification_material.certificate,
)
print("entries:", len(attestation.verification_material.transparency_entries))

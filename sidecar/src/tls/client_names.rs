//! Which clients may connect: those with a certificate that names one of `tls.clientSans`.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;

/// Checks the signatures as `signed` does, and then the names.
#[derive(Debug)]
pub(super) struct NamedClients {
    signed: Arc<dyn ClientCertVerifier>,
    allowed: Vec<String>,
}

impl NamedClients {
    /// A verifier of the names in `allowed`; without names, `signed` itself.
    pub(super) fn over(signed: Arc<dyn ClientCertVerifier>, allowed: &[String]) -> Arc<dyn ClientCertVerifier> {
        if allowed.is_empty() { signed } else { Arc::new(Self { signed, allowed: allowed.to_vec() }) }
    }
}

/// Whether a subject alternative name of `certificate` is allowed. DNS names have no case; URIs are compared as they are.
fn names_one_of(allowed: &[String], certificate: &[u8]) -> bool {
    let Ok((_, certificate)) = parse_x509_certificate(certificate) else { return false };
    let Ok(Some(names)) = certificate.subject_alternative_name() else { return false };
    names.value.general_names.iter().any(|name| match name {
        GeneralName::DNSName(dns) => allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(dns)),
        GeneralName::URI(uri) => allowed.iter().any(|allowed| allowed == uri),
        _ => false,
    })
}

impl ClientCertVerifier for NamedClients {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.signed.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.signed.verify_client_cert(certificate, intermediates, now)?;
        if names_one_of(&self.allowed, certificate) {
            return Ok(verified);
        }
        Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signed.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signed.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.signed.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, SanType};

    use super::names_one_of;

    fn certificate(dns: &str, uri: &str) -> Vec<u8> {
        let mut params = CertificateParams::new(vec![dns.to_owned()]).unwrap();
        params.subject_alt_names.push(SanType::URI(uri.try_into().unwrap()));
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn a_dns_name_or_a_uri_admits_and_a_part_of_one_does_not() {
        let certificate = certificate("envoy.example.org", "spiffe://example.org/envoy");
        let admits = |name: &str| names_one_of(&["other".to_owned(), name.to_owned()], &certificate);
        assert!(admits("envoy.example.org") && admits("Envoy.Example.org"));
        assert!(admits("spiffe://example.org/envoy"));
        for wrong in ["example.org", "envoy", "spiffe://example.org/", "spiffe://example.org/Envoy", "*.example.org"] {
            assert!(!admits(wrong), "{wrong}");
        }
    }

    #[test]
    fn what_is_no_certificate_names_nobody() {
        assert!(!names_one_of(&["envoy".to_owned()], b"envoy"));
    }
}

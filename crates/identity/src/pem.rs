//! The text form of certificates and revocation lists (RFC 7468): base64 in lines of 64 between two markers.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Writes `der` as one document of the kind `label`, such as `CERTIFICATE`.
#[must_use]
pub fn encode(label: &str, der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    let mut text = format!("-----BEGIN {label}-----\n");
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str(&format!("-----END {label}-----\n"));
    text
}

/// The first document of the kind `label`; text around it is ignored, as RFC 7468 allows. `None` if there is none, or it
/// is damaged.
#[must_use]
pub fn decode(label: &str, text: &str) -> Option<Vec<u8>> {
    let (_, after) = text.split_once(&format!("-----BEGIN {label}-----"))?;
    let (body, _) = after.split_once(&format!("-----END {label}-----"))?;
    let body: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    STANDARD.decode(body).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips_at_every_length_around_a_line() {
        for length in 0..200 {
            let der: Vec<u8> = (0..length).map(|i| i as u8).collect();
            let text = encode("CERTIFICATE", &der);
            assert!(text.lines().all(|line| line.len() <= 64));
            assert_eq!(decode("CERTIFICATE", &text).unwrap(), der);
            assert_eq!(
                decode("CERTIFICATE", &format!("comment\n{text}more\n")).unwrap(),
                der
            );
        }
        assert_eq!(decode("CERTIFICATE", "-----BEGIN CERTIFICATE-----\nAA"), None);
        assert_eq!(decode("CERTIFICATE", &encode("X509 CRL", &[1])), None);
    }
}

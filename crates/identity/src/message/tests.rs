use super::*;

fn all() -> Vec<EnrolMessage> {
    let mut messages = vec![
        EnrolMessage::Enrol(EnrolRequest {
            secret: InvitationSecret::from_bytes([7; 32]),
            request: vec![1; MAX_REQUEST_BYTES],
        }),
        EnrolMessage::Renew(RenewRequest {
            request: vec![2; 150],
        }),
        EnrolMessage::DenyListRequest,
        EnrolMessage::Certified(EnrolResponse {
            certificate: vec![3; MAX_CERTIFICATE_BYTES],
            root: vec![4; MAX_CERTIFICATE_BYTES],
            deny_list: vec![5; MAX_DENY_LIST_BYTES],
            ledger_key: "k".repeat(MAX_LEDGER_KEY),
        }),
        EnrolMessage::DenyList(vec![6; 100]),
    ];
    messages.extend(RefusalCode::ALL.map(EnrolMessage::Refused));
    messages
}

#[test]
fn each_message_round_trips_at_its_largest() {
    for message in all() {
        let bytes = message.encode().unwrap();
        assert!(bytes.len() <= MAX_ENROL_MESSAGE);
        assert_eq!(
            bytes.len(),
            message.capacity(),
            "no reallocation may leave a copy of a secret behind"
        );
        let again = EnrolMessage::decode(&bytes).unwrap();
        assert_eq!(again.encode().unwrap(), bytes);
        assert_eq!(format!("{again:?}"), format!("{message:?}"));
    }
    // The largest message fits into one transport frame.
    const { assert!(MAX_ENROL_MESSAGE <= 256 * 1024) };
}

#[test]
fn every_cut_and_every_extra_byte_is_refused() {
    for message in all() {
        let bytes = message.encode().unwrap();
        let step = (bytes.len() / 200).max(1);
        for cut in (0..bytes.len()).step_by(step) {
            assert_eq!(
                EnrolMessage::decode(&bytes[..cut]).unwrap_err(),
                DecodeError::Truncated,
                "cut at {cut}"
            );
        }
        let longer = [&bytes[..], &[0]].concat();
        assert_eq!(
            EnrolMessage::decode(&longer).unwrap_err(),
            DecodeError::TrailingBytes
        );
    }
}

#[test]
fn lengths_beyond_the_bound_are_refused_from_the_header() {
    let decode = |bytes: &[u8]| EnrolMessage::decode(bytes).unwrap_err();
    assert_eq!(decode(&[0, 1, RENEW, 0xff, 0xff]), DecodeError::TooLong);
    assert_eq!(
        decode(&[0, 1, DENY_LIST, 0xff, 0xff, 0xff, 0xff]),
        DecodeError::TooLong
    );
    let mut enrol = vec![0, 1, ENROL];
    enrol.extend([0; 32]);
    enrol.extend([0xff, 0xff]);
    assert_eq!(decode(&enrol), DecodeError::TooLong);
    let too_long = EnrolMessage::Renew(RenewRequest {
        request: vec![0; MAX_REQUEST_BYTES + 1],
    });
    assert_eq!(too_long.encode().unwrap_err(), DecodeError::TooLong);
}

#[test]
fn unknown_versions_kinds_and_codes_are_refused() {
    let decode = |bytes: &[u8]| EnrolMessage::decode(bytes).unwrap_err();
    assert_eq!(decode(&[0, 2, DENY_LIST_REQUEST]), DecodeError::Version);
    assert_eq!(decode(&[1, 1, DENY_LIST_REQUEST]), DecodeError::Version);
    for kind in [0, 7, 255] {
        assert_eq!(decode(&[0, 1, kind]), DecodeError::Kind);
    }
    for code in [0u16, 13, 0xffff] {
        let [high, low] = code.to_be_bytes();
        assert_eq!(decode(&[0, 1, REFUSED, high, low]), DecodeError::Kind);
    }
    assert_eq!(
        decode(&[0, 1, CERTIFIED, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff]),
        DecodeError::Field
    );
}

#[test]
fn refusal_codes_are_numbered_as_the_specification_says() {
    for (index, code) in RefusalCode::ALL.into_iter().enumerate() {
        assert_eq!(usize::from(code.code()), index + 1);
    }
}

#[test]
fn a_secret_is_not_printed() {
    let message = EnrolMessage::Enrol(EnrolRequest {
        secret: InvitationSecret::from_bytes([0xab; 32]),
        request: Vec::new(),
    });
    let shown = format!("{message:?}");
    assert!(!shown.contains("171") && !shown.contains("abab"), "{shown}");
}

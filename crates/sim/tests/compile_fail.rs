//! What must not compile. Each fixture is one thing that a careless hand could write in a shell, and the compiler's answer.

/// Failure: a fixture compiles, or is refused for another reason than the one committed beside it.
#[test]
fn fixtures() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}

//! The shell of the enrolment authority.

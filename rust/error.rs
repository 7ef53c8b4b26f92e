//! What can be wrong with a call: each variant carries what was expected and what came.

/// The result of a call into the core.
pub type Result<T> = std::result::Result<T, Error>;

/// A refused call. The object that refused it is as it was before.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An argument outside its range, or not one of its names.
    #[error("{name}: expected {expected}, got {actual}")]
    InvalidArgument {
        /// The argument's public name.
        name: &'static str,
        /// The range or the list of names.
        expected: String,
        /// What came.
        actual: String,
    },
    /// Audio that does not end with a whole frame.
    #[error("pcm: expected a whole number of frames of {frame_bytes} bytes each, got {actual_bytes} bytes")]
    PartialFrame {
        /// Bytes of one frame.
        frame_bytes: usize,
        /// Bytes that came.
        actual_bytes: usize,
    },
    /// Text that is not base64 of the standard alphabet with padding.
    #[error("base64: expected standard base64 with padding, got {actual}")]
    InvalidBase64 {
        /// What was wrong with it.
        actual: String,
    },
    /// A server event that cannot be read as a JSON object.
    #[error("event: expected a JSON object, got {actual}")]
    InvalidEvent {
        /// What the parser said.
        actual: String,
    },
}

impl Error {
    /// An argument outside its range or its list of names.
    pub fn argument(name: &'static str, expected: impl Into<String>, actual: impl ToString) -> Self {
        Self::InvalidArgument { name, expected: expected.into(), actual: actual.to_string() }
    }
}

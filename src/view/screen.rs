//! Output destinations.

/// The properties of a terminal that affect text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Screen {
    /// In columns.
    pub width: usize,
    pub colour: bool,
}

/// The destination of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sink {
    /// A pipe or a file.
    Pipe,
    Terminal(Screen),
}

//! Tests from outside, in one binary.

#[cfg(test)]
mod attacks;

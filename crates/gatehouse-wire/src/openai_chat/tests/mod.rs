//! The laws of the dialect, over answers and requests of every shape.

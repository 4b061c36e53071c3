//! Addresses, signatures and credentials of the clouds, without a network.

#[cfg(test)]
mod addresses;
#[cfg(test)]
mod credentials;

//! The laws and the worked examples of the ledger, in one binary.

#[cfg(test)]
mod budgets;
#[cfg(test)]
mod estimate;
#[cfg(test)]
mod invoices;

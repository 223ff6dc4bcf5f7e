//! A ticket pays for one vector.
use tacita_privacy::BudgetTicket;

fn copy(ticket: &BudgetTicket) -> BudgetTicket {
    ticket.clone()
}

fn main() {}

//! Clip, rotate, round, noise, decode; accountants and budgets.

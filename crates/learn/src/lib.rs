//! Models, data sets, local training and evaluation on burn.

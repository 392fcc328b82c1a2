"""Pictures as arrays: what is done to them before they are learnt from."""

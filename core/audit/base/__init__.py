"""The base that is audited against: which one a LoRA names, and what is kept of it between audits."""

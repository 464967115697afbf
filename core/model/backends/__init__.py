"""Foreign model libraries behind the Denoiser protocol, one file each."""

"""What measurements come to: means, correlations, forecasts, people's ratings, and their plots."""

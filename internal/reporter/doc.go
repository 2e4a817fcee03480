// Package reporter is the third tier: it folds the ledger into contribution
// rows, follows those rows whole, and serves them to people.
//
// It knows credits, contribution rows and how a browser wants them. It must not
// know how credit is decided: nothing of journeys, models or contracts is judged
// here, and no number is made that is not a sum of ledger numbers.
package reporter

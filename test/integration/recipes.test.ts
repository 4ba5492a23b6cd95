import { curl } from '../kit/recipes/curl.ts'
import {
  apolloMultipart,
  apolloSse,
  graphqlSse,
  graphqlWs,
  relay,
  urql,
} from '../kit/recipes/libraries.ts'
import { describeRecipe } from '../kit/recipes/ten-steps.ts'

describeRecipe('the recipe for curl', curl)
describeRecipe('the recipe for graphql-sse', graphqlSse)
describeRecipe('the recipe for graphql-ws', graphqlWs)
describeRecipe('the recipe for urql', urql)
describeRecipe('the recipe for Apollo Client, by multipart', apolloMultipart)
describeRecipe('the recipe for Apollo Client, by server-sent events', apolloSse)
describeRecipe('the recipe for Relay', relay)
